"""Tests `graticule data convert`: the new store holds the same numbers, for us, for xarray and for tensorstore."""

import json
import os
import signal
import subprocess
import time

import numpy as np
import pytest
import xarray as xr

from channels import NAMES, OURS, fields, recipe_of
from command import ENVIRONMENT, PROGRAM, graticule
from seed import seeded
from sky import level_of, sky
from test_axes import info

pytestmark = pytest.mark.filterwarnings("ignore")


def atmosphere(count):
    data = sky(count)
    data = level_of(data, units="hPa").merge(data)
    data["lsm"] = (("latitude", "longitude"), seeded(4).random((8, 12)).astype("f4"))
    data.t2m[3, 2] = np.nan
    return data


def same(path, data):
    with xr.open_zarr(path) as read:
        np.testing.assert_array_equal(read["2m_temperature"], data.t2m)
        np.testing.assert_array_equal(read["temperature"], data.t)
        np.testing.assert_array_equal(read["land_sea_mask"], data.lsm)
        np.testing.assert_array_equal(read.time, data.time)
        assert read["2m_temperature"].attrs["units"] == "K"


@pytest.mark.parametrize("form", ["folder", "zarr2", "zarr3"])
def test_few_files_with_the_same_numbers(tmp_path, form):
    data, path = atmosphere(37), tmp_path / "in"
    if form == "folder":
        path.mkdir()
        for i in range(37):
            data.isel(time=[i]).to_netcdf(path / f"{i:02}.nc")
    else:
        data.chunk(time=1).to_zarr(path, zarr_format=int(form[-1]))
    out = tmp_path / "out.zarr"
    told = graticule("data", "convert", path, out, "--dry-run", check=True).stdout
    assert not out.exists() and not (tmp_path / "out.zarr.partial").exists()
    files = int(told.split("files (fields")[0].split("in ")[-1])
    graticule("data", "convert", path, out, check=True)
    same(out, data)
    assert sum(file.is_file() for file in out.rglob("*")) == files == 19
    assert info(out)["times"] == info(path)["times"] and info(out)["names"] == info(path)["names"]
    again = graticule("data", "convert", path, out)
    assert again.returncode == 2 and "exists" in again.stderr and again.stderr.count("\n") == 1


def test_what_a_recipe_reads(tmp_path):
    """Its variables, the times from its first to its last, and its layout of an array without names or times."""
    h5py = pytest.importorskip("h5py")
    data = fields(40, NAMES)
    with h5py.File(tmp_path / "2001.h5", "w") as file:
        file["fields"] = data
    layout = f"names = {json.dumps(NAMES)}\nlatitudes = [90, -90]\nlongitudes = [0, 330]\nstep_hours = 6"
    recipe = recipe_of(tmp_path, tmp_path / "2001.h5", layout, OURS[:5])
    dates = ["--set", "data.train=['2001-01-02','2001-01-05']", "--set", "data.test=['2001-01-07','2001-01-08']"]
    graticule("data", "convert", recipe, tmp_path / "out.zarr", *dates, check=True)
    told = info(tmp_path / "out.zarr")
    assert told["names"] == sorted(OURS[:5]) and told["times"]["count"] == 28, told
    with xr.open_zarr(tmp_path / "out.zarr") as read:
        np.testing.assert_array_equal(read["2m_temperature"], data[4:32, NAMES.index("t2m"), ::-1])


def test_many_shards_read_by_tensorstore(tmp_path):
    import tensorstore

    fine = {"latitudes": np.linspace(-89, 89, 90), "longitudes": np.arange(180) * 2.0}
    data = sky(50, **fine)
    data.to_netcdf(tmp_path / "a.nc")
    graticule("data", "convert", tmp_path / "a.nc", tmp_path / "b.zarr", "--shard-mb", "1", check=True)
    assert len(list((tmp_path / "b.zarr" / "2m_temperature" / "c").iterdir())) == 4
    spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(tmp_path / "b.zarr" / "2m_temperature")}}
    np.testing.assert_array_equal(tensorstore.open(spec).result().read().result(), data.t2m)


def test_a_stopped_conversion_goes_on(tmp_path):
    """Killed at any moment, it leaves no store under the final name, and the same command completes it."""
    synthetic = "synthetic:rows=64,columns=128,variables=5,times=1000"
    out, partial = tmp_path / "out.zarr", tmp_path / "out.zarr.partial"
    command = ["data", "convert", synthetic, str(out), "--shard-mb", "1"]
    process = subprocess.Popen([PROGRAM, *command], env=ENVIRONMENT, stdout=subprocess.DEVNULL)
    while len(list(partial.glob("[!.]*/c/*/0/0"))) < 3 and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not out.exists()
    kept = {file: os.stat(file).st_mtime_ns for file in partial.glob("[!.]*/c/*/0/0")}
    other = graticule(*command, "--range", "2001-01-01", "2001-01-20")
    assert other.returncode == 2 and "was begun with another source" in other.stderr
    told = graticule(*command, check=True).stdout
    assert "are there already" in told
    whole = tmp_path / "whole.zarr"
    graticule("data", "convert", synthetic, whole, check=True)
    for file, moment in kept.items():
        assert os.stat(out / file.relative_to(partial)).st_mtime_ns == moment
    xr.testing.assert_identical(xr.open_zarr(out).load(), xr.open_zarr(whole).load())


@pytest.mark.parametrize("calendar", ["noleap", "360_day"])
def test_the_calendar_is_kept(tmp_path, calendar):
    data = sky(5).assign_coords(time=xr.date_range("2001-02-27", periods=5, freq="D", calendar=calendar))
    data.to_netcdf(tmp_path / "a.nc")
    graticule("data", "convert", tmp_path / "a.nc", tmp_path / "b.zarr", check=True)
    assert info(tmp_path / "b.zarr")["times"] == info(tmp_path / "a.nc")["times"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a.nc", "b.nc"], "does not end in .zarr"),
        (["a.nc", "none/b.zarr"], "does not exist"),
        (["a.nc", "b.zarr", "--range", "2010-01-01", "2010-01-02"], "has no time from"),
        (["a.nc", "b.zarr", "--variables", "t3m"], "did you mean"),
        (["a.nc", "b.zarr", "--shard-mb", "0"], "at least 1"),
    ],
)
def test_wrong_arguments(tmp_path, arguments, words):
    sky().to_netcdf(tmp_path / "a.nc")
    result = graticule("data", "convert", *arguments, cwd=tmp_path)
    assert result.returncode == 2 and words in result.stderr and result.stderr.count("\n") == 1, result.stderr
