"""Tests `graticule data check`: clean data, and each kind of fault, alone and over ranks."""

import json

import numpy as np
import pytest

from command import graticule, write_recipe
from sky import level_of, sky

pytestmark = pytest.mark.filterwarnings("ignore")


def checked(path, *more, code, ranks=1):
    result = graticule("data", "check", path, "--json", *more, ranks=ranks)
    assert result.returncode == code, result.stderr
    told = json.loads(result.stdout)
    assert told["clean"] == (code == 0)
    return {line["variable"]: line for line in told["variables"]}


def spoiled(name):
    data = sky(70)
    field = data.t2m[61]
    if name == "infinite":
        field[1, 2] = np.inf
    if name == "out of 150 to 350 K":
        field[:] -= 273.15
    if name == "of one value":
        field[:] = 280
    if name == "come and go":
        field[3] = np.nan
    return data


@pytest.mark.parametrize("fault", ["infinite", "out of 150 to 350 K", "of one value", "come and go"])
@pytest.mark.parametrize("ranks", [1, 3])
def test_each_fault_is_named(tmp_path, fault, ranks):
    spoiled(fault).to_netcdf(tmp_path / "a.nc")
    found = checked(tmp_path / "a.nc", code=1, ranks=ranks)
    assert fault in found["2m_temperature"]["finding"] and found["mean_sea_level_pressure"]["finding"] == ""
    assert fault == "come and go" or "2001-01-16T06" in found["2m_temperature"]["first"]


def test_clean_data_and_a_mask(tmp_path):
    data = sky(70)
    data.t2m[:, :3] = np.nan  # land, at all times
    level_of(data).merge(data).to_zarr(tmp_path / "a.zarr")
    found = checked(tmp_path / "a.zarr", "--variables", "mean_sea_level_pressure", "2m_temperature", code=0)
    assert found["2m_temperature"]["missing"] == 70 * 36 and found["2m_temperature"]["fields"] == 70
    assert found["2m_temperature"]["highest"] == pytest.approx(float(data.t2m.max()))
    table = graticule("data", "check", tmp_path / "a.zarr", "--variables", "mean_sea_level_pressure").stdout
    assert "mean_sea_level_pressure" in table and table.endswith("clean\n")


def test_damaged_chunks_are_counted_and_the_rest_is_read(tmp_path):
    store = tmp_path / "a.zarr"
    sky(70).to_zarr(store, zarr_format=2, encoding={"t2m": {"chunks": (4, 8, 12)}})
    chunk = store / "t2m" / "3.0.0"
    chunk.write_bytes(chunk.read_bytes()[:-40])
    found = checked(store, code=1, ranks=2)["2m_temperature"]
    assert found["damaged"] == 4 and found["fields"] == 66 and "t2m/3.0.0" in found["first"]


def test_a_recipe_is_checked_where_it_reads(tmp_path):
    data = spoiled("infinite")
    data.to_netcdf(tmp_path / "a.nc")
    lines = [
        ('path = "synthetic:rows=8,columns=12,variables=6,times=200"', f'path = "{tmp_path / "a.nc"}"'),
        ('train = ["2001-01-01", "2001-02-04"]', 'train = ["2001-01-01", "2001-01-10"]'),
        ('test = ["2001-02-07", "2001-02-18"]', 'test = ["2001-01-11", "2001-01-13"]'),
    ]
    recipe = write_recipe(tmp_path, replace=lines)
    assert checked(recipe, code=0)["2m_temperature"]["fields"] == 52
    checked(recipe, "--set", 'data.test=["2001-01-11", "2001-01-17"]', code=1)
    for wrong in (["--set", "data.path=none.nc"], ["--range", "2010-01-01", "2010-01-02"], ["--variables", "t"]):
        result = graticule("data", "check", recipe, *wrong)
        assert result.returncode == 2 and result.stderr.count("\n") == 1, result.stderr
