"""Tests grids at their edges: rows at the poles that no patch divides, a column given twice, -180 to 180. Every form
of a grid gives the same numbers."""

import numpy as np
import pytest
import xarray as xr

from command import graticule, write_recipe
from seed import seeded
from sky import sky
from test_axes import refusal

pytestmark = pytest.mark.filterwarnings("ignore")
POLES = np.linspace(-90, 90, 9)


def closed(data):
    """The first column again at its end, as programs that draw maps write it."""
    again = data.isel(longitude=[0]).assign_coords(longitude=data.longitude[[0]] + 360)
    return xr.concat([data, again], "longitude", data_vars="minimal").transpose("time", "latitude", "longitude")


FORMS = {
    "closed at 360": closed,
    "north first": lambda data: data.isel(latitude=slice(None, None, -1)),
    "west ward": lambda data: data.isel(longitude=slice(None, None, -1)),
    "closed, north first, westward": lambda data: closed(data).isel(
        latitude=slice(None, None, -1), longitude=slice(None, None, -1)
    ),
    "from -180, closed at 180": lambda data: closed(
        data.assign_coords(longitude=(data.longitude + 180) % 360 - 180).sortby("longitude")
    ),
}


def state(path, folder):
    """What the program reads, written in its own form."""
    graticule("data", "convert", path, folder / "canonical.zarr", check=True)
    return xr.open_dataset(folder / "canonical.zarr").load()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["nc", "zarr"])
def test_one_grid_in_many_forms(tmp_path, form, kind):
    data, path = sky(5, POLES), tmp_path / f"a.{kind}"
    other = FORMS[form](data)
    other.to_zarr(path) if kind == "zarr" else other.to_netcdf(path)
    read = state(path, tmp_path)
    np.testing.assert_array_equal(read["2m_temperature"], data.t2m)
    np.testing.assert_array_equal(read.longitude, data.longitude)
    np.testing.assert_array_equal(read.latitude, data.latitude)


def test_a_last_column_that_repeats_nothing(tmp_path):
    data = closed(sky())
    data.t2m[:, :, -1] += 1
    data.to_netcdf(tmp_path / "a.nc")
    assert "hold other values: cut one of them off" in refusal(tmp_path / "a.nc")


@pytest.mark.parametrize("tokens", ["full", "aggregated"])
def test_both_poles_with_any_patch(tmp_path, tokens):
    """Nine rows are cut into patches of 2, 4 or 5; the forecast and its truth have all nine, the poles too."""
    data, path = sky(40, POLES), tmp_path / "a.nc"
    data.to_netcdf(path)
    patch = int(seeded(2).choice([2, 4, 5]))
    recipe = write_recipe(
        tmp_path,
        replace=[
            ('path = "synthetic:rows=8,columns=12,variables=6,times=200"', f'path = "{path}"'),
            ('train = ["2001-01-01", "2001-02-04"]', 'train = ["2001-01-01", "2001-01-07"]'),
            ('test = ["2001-02-07", "2001-02-18"]', 'test = ["2001-01-08", "2001-01-10"]'),
            ("heads = 4", f'heads = 4\ntokens = "{tokens}"\npatch = {patch}'),
        ],
    )
    graticule("train", recipe, check=True)
    names = ["--out", tmp_path / "f.nc", "--truth", tmp_path / "t.nc"]
    graticule("forecast", tmp_path / "run", "--init", "2001-01-08", *names, check=True)
    forecast, truth = xr.open_dataset(tmp_path / "f.nc"), xr.open_dataset(tmp_path / "t.nc")
    assert forecast.sizes["latitude"] == 9 and np.isfinite(forecast["2m_temperature"]).all()
    expected = data.t2m.sel(time="2001-01-09T00").values
    np.testing.assert_array_equal(truth["2m_temperature"].squeeze(), expected)
