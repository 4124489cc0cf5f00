"""Tests tools/era5/regrid.py: conservative, resumable, and graticule reads its stores."""

import contextlib
import io
import json
import subprocess
import sys
import tomllib
from itertools import pairwise

import numpy as np
import pytest
import xarray as xr

from command import ROOT, graticule, write_recipe
from seed import seeded

sys.path.insert(0, str(ROOT / "tools" / "era5"))
import overlap
import regrid as program
import target

LEVELS = [50, 200, 500, 850, 1000]
VARIABLES = ["temperature", "2m_temperature", "land_sea_mask"]


class Run:
    """What a run of the tool said, and its exit code."""

    def __init__(self, arguments):
        out, err = io.StringIO(), io.StringIO()
        self.code = 0
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                program.main([str(argument) for argument in arguments])
            except SystemExit as end:
                self.code = end.code
        self.out, self.err = out.getvalue(), err.getvalue()


def regrid(source, out, *options, variables=VARIABLES, days=("2001-01-30", "2001-02-02"), grid="8x16"):
    """Four days over the end of a month."""
    arguments = ["--source", source, "--out", out, "--grid", grid, "--start", days[0], "--end", days[1]]
    return Run([*arguments, "--variables", *variables, *options])


def archive(path, rows=37, columns=72, times=20, north_first=True, west=0.0):
    """As WeatherBench 2 keeps 0.25 degrees, only coarser: rows at the poles, north first, 6-hourly."""
    random = seeded(rows)
    latitudes = np.linspace(-90, 90, rows)[:: -1 if north_first else 1].astype(np.float32)
    longitudes = (west + np.arange(columns) * 360 / columns).astype(np.float32)
    waves = 280 + 20 * np.sin(np.deg2rad(2 * latitudes))[:, None] * np.cos(np.deg2rad(3 * longitudes))

    def noise(*shape):
        return random.normal(size=(*shape, rows, columns)).astype(np.float32)

    data = xr.Dataset(
        {
            "temperature": (("time", "level", "latitude", "longitude"), waves.astype("f4") + noise(times, len(LEVELS))),
            "2m_temperature": (("time", "latitude", "longitude"), waves.astype("f4") + noise(times)),
            "land_sea_mask": (("latitude", "longitude"), (noise() > 0).astype("f4")),
        },
        {
            "time": np.datetime64("2001-01-30", "ns") + np.arange(times) * np.timedelta64(6, "h"),
            "level": LEVELS, "latitude": latitudes, "longitude": longitudes,
        },
    )  # fmt: skip
    data["temperature"].attrs = {"units": "K", "standard_name": "air_temperature"}
    data.to_zarr(path, zarr_format=2)
    return data


def area_mean(field):
    """By cells whose edges lie half-way between rows, the poles outermost; in fp64."""
    heights = np.abs(np.diff(np.sin(np.deg2rad(edges_of(field.latitude.values)))))
    return (field.astype(np.float64).mean("longitude") * xr.DataArray(heights, dims="latitude")).sum("latitude") / 2


def edges_of(latitudes):
    inner = [(a + b) / 2 for a, b in pairwise(np.asarray(latitudes, float))]
    pole = 90.0 if latitudes[0] > latitudes[-1] else -90.0
    return np.array([pole, *inner, -pole])


@pytest.mark.parametrize(
    "shape", [dict(), dict(north_first=False), dict(west=-180.0), dict(rows=32, columns=64), dict(rows=9, columns=11)]
)
def test_means_are_kept(shape, tmp_path):
    data = archive(tmp_path / "in.zarr", **shape)
    done = regrid(tmp_path / "in.zarr", tmp_path / "out.zarr", "--levels", "850", "200", grid="7x13")
    assert done.code == 0, done.err
    made = xr.open_zarr(tmp_path / "out.zarr", chunks=None)
    assert list(made.level.values) == [200, 850] and made.sizes["time"] == 16
    assert np.allclose(made.latitude, -90 + (np.arange(7) + 0.5) * 180 / 7)
    assert made.temperature.attrs["units"] == "K"
    for name in VARIABLES:
        before = data[name].sel(time=made.time) if "time" in data[name].dims else data[name]
        before = before.sel(level=made.level) if "level" in before.dims else before
        assert np.allclose(area_mean(made[name]), area_mean(before), rtol=1e-6, atol=1e-7), name


def test_cells_are_means_of_what_they_cover():
    """Against the integral of a fine grid's step function, cell by cell, over grids that do not divide each other."""
    random = seeded(3)
    latitudes, longitudes = np.linspace(90, -90, 13), np.arange(18) * 20.0
    field = random.normal(size=(13, 18))
    goal = overlap.equiangular(5, 7)
    made = overlap.regrid(field, overlap.row_weights(goal[0], latitudes), overlap.column_weights(goal[1], longitudes))
    fine = 1400
    heights = (np.arange(fine) + 0.5) * 2 / fine - 1
    row_of = np.abs(np.rad2deg(np.arcsin(heights))[:, None] - latitudes).argmin(1)
    turns = (np.arange(fine) + 0.5) * 360 / fine
    column_of = (np.round(turns / 20) % 18).astype(int)
    to_row = np.searchsorted(np.sin(np.deg2rad(np.arange(-90, 91, 36.0)))[1:-1], heights)
    to_column = (np.round(turns / (360 / 7)) % 7).astype(int)
    for y in range(5):
        for x in range(7):
            cells = field[np.ix_(row_of[to_row == y], column_of[to_column == x])]
            assert abs(made[y, x] - cells.mean()) < 0.01


def test_constants_and_gaps():
    goal = overlap.equiangular(8, 16)
    weights = (
        overlap.row_weights(goal[0], np.linspace(-90, 90, 37)),
        overlap.column_weights(goal[1], np.arange(72) * 5.0),
    )
    field = np.full((37, 72), 273.15, np.float32)
    assert (overlap.regrid(field, *weights) == np.float32(273.15)).all()
    field[:, 10:40] = np.nan
    made = overlap.regrid(field, *weights)
    assert np.isnan(made).any() and (made[np.isfinite(made)] == np.float32(273.15)).all()


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("chunk", [1, 5])
def test_a_stopped_run_goes_on_to_the_same_bytes(chunk, tmp_path):
    archive(tmp_path / "in.zarr")
    options = ["--chunk", chunk, "--levels", 200, 500]
    assert regrid(tmp_path / "in.zarr", tmp_path / "whole.zarr", *options).code == 0
    half = ("2001-01-30", "2001-01-31")
    assert regrid(tmp_path / "in.zarr", tmp_path / "parts.zarr", *options, days=half).code == 0
    assert len(target.times_in(str(tmp_path / "parts.zarr"))) == 8
    # Killed within February: one variable is written, the other is not, and the time axis has not grown.
    target.put(str(tmp_path / "parts.zarr"), "temperature", np.ones((3, 2, 8, 16), np.float32), 8)
    assert len(xr.open_zarr(tmp_path / "parts.zarr", chunks=None).time) == 8
    assert regrid(tmp_path / "in.zarr", tmp_path / "parts.zarr", *options).code == 0
    assert contents(tmp_path / "parts.zarr") == contents(tmp_path / "whole.zarr")
    again = regrid(tmp_path / "in.zarr", tmp_path / "parts.zarr", *options)
    assert again.code == 0 and again.out == ""


def test_graticule_reads_and_trains_on_it(tmp_path):
    archive(tmp_path / "in.zarr", times=60)
    days = ("2001-01-30", "2001-02-12")
    command = [
        sys.executable,
        ROOT / "tools" / "era5" / "regrid.py",
        "--source",
        tmp_path / "in.zarr",
        "--levels",
        "500",
    ]
    command += ["--out", tmp_path / "out.zarr", "--grid", "8x16", "--start", days[0], "--end", days[1]]
    subprocess.run([*command, "--variables", *VARIABLES], check=True, timeout=120)
    info = json.loads(graticule("data", "info", tmp_path / "out.zarr", "--json", check=True).stdout)
    assert len(info["variables"]) == 3
    made = graticule("data", "info", tmp_path / "out.zarr", check=True).stdout
    assert "8 x 16" in made and "56, 2001-01-30" in made and "at 500 hPa" in made
    recipe = write_recipe(
        tmp_path,
        replace=[
            ("synthetic:rows=8,columns=12,variables=6,times=200", str(tmp_path / "out.zarr")),
            ('["2001-01-01", "2001-02-04"]', '["2001-01-30", "2001-02-08"]'),
            ('["2001-02-07", "2001-02-18"]', '["2001-02-10", "2001-02-12"]'),
        ],
    )
    graticule("train", recipe, check=True)


def test_files_of_the_climate_data_store(tmp_path):
    """valid_time and pressure_level, levels downwards, short names; levels and surface in a file each."""
    data = archive(tmp_path / "in.zarr").rename(time="valid_time", level="pressure_level").load()
    data = data.isel(pressure_level=slice(None, None, -1)).assign_coords(number=0).drop_encoding()
    data["expver"] = ("valid_time", np.array(["0001"] * data.sizes["valid_time"], dtype=object))
    names = {"temperature": "t", "2m_temperature": "t2m", "land_sea_mask": "lsm"}
    data.rename(names).to_netcdf(tmp_path / "in.nc")
    for out, variables in ("levels", ["t"]), ("surface", ["t2m", "lsm"]):
        done = regrid(tmp_path / "in.nc", tmp_path / f"{out}.zarr", "--levels", 850, 500, variables=variables)
        assert done.code == 0, done.err
    made = graticule("data", "info", f"{tmp_path}/levels.zarr,{tmp_path}/surface.zarr", check=True).stdout
    for words in ("at 500, 850 hPa", "2m_temperature", "land_sea_mask", "16, 2001-01-30"):
        assert words in made, made
    long = regrid(tmp_path / "in.zarr", tmp_path / "long.zarr", "--levels", 500, 850)
    assert long.code == 0, long.err
    same = xr.open_zarr(tmp_path / "long.zarr", chunks=None).temperature
    assert (xr.open_zarr(tmp_path / "levels.zarr", chunks=None).t.values == same.values).all()


MISTAKES = {
    "unknown variable": (dict(variables=["2m_temperatur"]), "no variable 2m_temperatur: did you mean 2m_temperature?"),
    "missing level": (dict(options=["--levels", 500, 700]), "no level 700 hPa: choose from 50 200 500 850 1000"),
    "missing times": (dict(days=("2001-02-01", "2001-02-20")), "lacks 68 of 80 times, the first is 2001-02-04T00"),
    "no source": (dict(source="nowhere.zarr"), "nowhere.zarr: no Zarr store"),
    "unknown scheme": (dict(source="ftp://nowhere.zarr"), "choose a local path"),
    "output of another grid": (dict(grid="16x32"), "is there with another latitude"),
    "output of other variables": (dict(variables=["temperature"]), "is there with the variables"),
    "output of another chunk": (dict(options=["--chunk", 2]), "is there with another --chunk"),
    "output of other times": (dict(days=("2001-01-31", "2001-02-02")), "is there with times from"),
    "grid": (dict(grid="128"), "choose ROWSxCOLUMNS"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake(name, tmp_path):
    change, words = MISTAKES[name]
    change = {"source": tmp_path / "in.zarr", **change}
    archive(tmp_path / "in.zarr")
    if name.startswith("output"):
        assert regrid(tmp_path / "in.zarr", tmp_path / "out.zarr").code == 0
    done = regrid(change.pop("source"), tmp_path / "out.zarr", *change.pop("options", []), **change)
    assert done.code == 2 and words in done.err, done.err
    assert done.err.startswith("usage") or len(done.err.splitlines()) == 1


def test_half_a_globe_is_refused(tmp_path):
    archive(tmp_path / "all.zarr").isel(latitude=slice(0, 20)).to_zarr(tmp_path / "north.zarr", zarr_format=2)
    done = regrid(tmp_path / "north.zarr", tmp_path / "out.zarr")
    assert done.code == 2 and "do not reach the poles" in done.err


def test_the_recipes_take_what_the_tool_makes_and_differ_in_their_layout_alone():
    recipes = {path.stem: tomllib.loads(path.read_text()) for path in (ROOT / "recipes").glob("climate_188416_*.toml")}
    assert len(recipes) == 3
    for name, recipe in recipes.items():
        assert recipe.pop("run")["out"] == f"runs/{name}" and recipe.pop("parallel")
    assert all(recipe == recipes["climate_188416_1h200"] for recipe in recipes.values())
    for name in "era5_2944_laptop", "tiny_188416_laptop":
        data = tomllib.loads((ROOT / "recipes" / f"{name}.toml").read_text())["data"]
        assert data["variables"] == recipes["climate_188416_1h200"]["data"]["variables"]
    assert {name.partition("@")[0] for name in data["variables"]} == set(program.VARIABLES)
    assert {name.partition("@")[2] for name in data["variables"]} == {"", "200", "500", "850"}


def test_a_variable_without_values_is_refused(tmp_path):
    data = archive(tmp_path / "all.zarr").load()
    data["2m_temperature"][5] = np.nan
    data.drop_encoding().to_zarr(tmp_path / "gap.zarr", zarr_format=2)
    done = regrid(tmp_path / "gap.zarr", tmp_path / "out.zarr")
    assert done.code == 2 and "no values of 2m_temperature at 2001-01-31T06" in done.err


def test_a_bucket_names_the_package_it_needs(tmp_path):
    """Where gcsfs is installed, the bucket itself is out of this test's reach."""
    pytest.importorskip("fsspec")
    try:
        import gcsfs  # noqa: F401
    except ImportError:
        done = regrid("gs://weatherbench2/datasets/era5/any.zarr", tmp_path / "out.zarr")
        assert done.code == 2 and "needs the Python package gcsfs" in done.err
