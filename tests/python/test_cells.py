"""Tests fields on lists of cells: which cells a file has, how large they are, and a forecast from end to end."""

import json
import os
import subprocess
import sys

import astropy_healpix
import numpy as np
import pytest
import xarray as xr

import cells
import channels
import graticule as package
from command import ROOT, graticule
from graticule import cell_maps, run_files

pytestmark = pytest.mark.filterwarnings("ignore")


def info(path, *more):
    result = graticule("data", "info", path, "--json", *more)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def refusal(*command, code=2):
    result = graticule(*command)
    assert result.returncode == code, (result.returncode, result.stderr)
    assert result.stderr.startswith("graticule: [") and result.stderr.count("\n") == 1, result.stderr
    return result.stderr


def expect_healpix(told, nside, order, numbers=None):
    latitude, longitude = cells.healpix(nside, order)
    chosen = slice(None) if numbers is None else numbers
    assert told["grid"] == "cells" and told["cells"].startswith(f"HEALPix, nside {nside}, {order}")
    assert np.allclose(told["latitudes"], latitude[chosen], atol=1e-9)
    assert np.allclose((np.subtract(told["longitudes"], longitude[chosen]) + 180) % 360, 180, atol=1e-9)
    share = astropy_healpix.nside_to_pixel_area(nside).to_value("sr") / (4 * np.pi)
    assert np.allclose(told["areas"], share, rtol=1e-12)


@pytest.mark.parametrize(
    "nside, order, attributes",
    [
        (8, "nested", {"healpix_nside": 8, "healpix_order": "nest"}),
        (16, "ring", {"healpix_nside": 16, "healpix_order": "ring"}),
        (4, "nested", {"refinement_level": 2, "indexing_scheme": "nested"}),
        (1, "ring", {"healpix_nside": 1, "healpix_order": "ring"}),
    ],
)
def test_healpix_is_known_by_its_mapping(tmp_path, nside, order, attributes):
    data = cells.with_mapping(cells.dataset(*cells.healpix(nside, order), places=False), **attributes)
    for path in (tmp_path / "a.zarr", tmp_path / "b.nc"):
        data.to_zarr(path) if path.suffix == ".zarr" else data.to_netcdf(path)
        told = info(path)
        expect_healpix(told, nside, order)
        assert {one["name"]: one["constant"] for one in told["variables"]} == {
            "2m_temperature": False,
            "mean_sea_level_pressure": False,
            "land_sea_mask": True,
        }


def test_healpix_is_known_by_places_numbers_or_convention(tmp_path):
    for order in ("nested", "ring"):
        cells.dataset(*cells.healpix(4, order), dimension="value").to_zarr(tmp_path / order)
        expect_healpix(info(tmp_path / order), 4, order)
    plain = cells.dataset(*cells.healpix(4), places=False, dimension="values")
    plain.to_zarr(tmp_path / "plain")
    told = info(tmp_path / "plain")
    expect_healpix(told, 4, "nested")
    assert any("taken for HEALPix, nested" in note for note in told["notes"])

    # A part of the sphere, by the numbers of its cells: by easygems' `cell`, and by xdggs' attributes.
    numbers = np.r_[16:48, 100:109]
    part = plain.rename(values="cell").isel(cell=numbers).assign_coords(cell=numbers)
    cells.with_mapping(part, healpix_nside=4, healpix_order="nest").to_zarr(tmp_path / "part")
    expect_healpix(info(tmp_path / "part"), 4, "nested", numbers)
    of_xdggs = {"grid_name": "healpix", "level": 2, "indexing_scheme": "nested"}
    named = part.drop_vars("cell").rename(cell="cells")
    named.assign_coords(cell_ids=("cells", numbers, of_xdggs)).to_zarr(tmp_path / "xdggs")
    expect_healpix(info(tmp_path / "xdggs"), 4, "nested", numbers)


def areas_by_row(latitude):
    """The rule of docs/cells.md: a row has the band between the middles to its neighbours."""
    rows, counts = np.unique(latitude.round(6), return_counts=True)
    edges = np.sin(np.deg2rad([-90, *(rows[1:] + rows[:-1]) / 2, 90]))
    return dict(zip(rows, np.diff(edges) / 2 / counts, strict=True))


@pytest.mark.parametrize("octahedral, name, count", [(True, "O24", 3168), (False, "N32", 6114)])
def test_reduced_gaussian_grids_have_areas_by_row(tmp_path, octahedral, name, count):
    latitude, longitude = cells.reduced_gaussian(24 if octahedral else 32, octahedral)
    assert len(latitude) == count
    cells.dataset(latitude, longitude, dimension="values").to_netcdf(tmp_path / "a.nc")
    told = info(tmp_path / "a.nc")
    assert told["cells"] == f"reduced Gaussian {name}"
    assert np.allclose(told["latitudes"], latitude) and np.allclose(told["longitudes"], longitude)
    rule = areas_by_row(latitude)
    assert np.allclose(told["areas"], [rule[one] for one in latitude.round(6)], rtol=1e-6)
    assert np.isclose(sum(told["areas"]), 1)
    # The weights of Gauss's quadrature are another rule; away from the poles both agree.
    rows, counts = np.unique(latitude.round(6), return_counts=True)
    gauss = np.polynomial.legendre.leggauss(len(rows))[1] / 2 / counts
    assert np.allclose(gauss[3:-3], [rule[row] for row in rows][3:-3], rtol=0.01)


def test_a_store_of_anemoi_datasets_on_o16(tmp_path):
    """Its values, as its `data` has them, are those of the same cells in a data set of xarray."""
    latitude, longitude = cells.reduced_gaussian(16)
    names = ["2t", "msl", "t_850"]
    data = cells.fields(latitude, longitude, names)
    path = channels.anemoi(
        tmp_path / "o16.zarr", data, names, places=(latitude, longitude - 180), resolution="o16", field_shape=[1600]
    )
    recipe = cells.write_recipe(tmp_path, path)
    told = info(path, "--recipe", recipe)
    assert told["cells"] == "reduced Gaussian O16" and told["grid"] == "cells"
    assert np.allclose(told["latitudes"], latitude) and np.allclose(told["longitudes"], longitude - 180)
    xr.Dataset(
        {
            "2m_temperature": (("time", "cell"), data[:, 0]),
            "mean_sea_level_pressure": (("time", "cell"), data[:, 1]),
            "temperature": (("time", "level", "cell"), data[:, 2:]),
        },
        {
            "time": channels.stamps(count=len(data)),
            "level": ("level", [850], {"units": "hPa"}),
            "latitude": ("cell", latitude, {"units": "degrees_north"}),
            "longitude": ("cell", longitude, {"units": "degrees_east"}),
        },
    ).to_zarr(tmp_path / "same.zarr")
    ours = ["2m_temperature", "mean_sea_level_pressure", "temperature@850"]
    assert channels.statistics(path, variables=ours) == channels.statistics(tmp_path / "same.zarr", variables=ours)
    assert sorted(one["name"] for one in told["variables"]) == ours


def test_any_cells_have_given_areas_or_all_the_same(tmp_path):
    random = np.random.default_rng(3)
    latitude, longitude = np.rad2deg(np.arcsin(random.uniform(-1, 1, 301))), random.uniform(-180, 180, 301)
    data = cells.dataset(latitude, longitude, dimension="ncells")
    data.to_zarr(tmp_path / "plain")
    told = info(tmp_path / "plain")
    assert told["cells"] == "cells" and np.allclose(told["areas"], told["areas"][0])
    assert any("all count the same" in note for note in told["notes"])
    given = random.uniform(1, 3, 301)
    square_metres = given / given.sum() * 4 * np.pi * 6_371_229.0**2
    for units, areas in (("m2", square_metres), ("sr", given / given.sum() * 4 * np.pi), ("", given)):
        data.assign_coords(cell_area=("ncells", areas, {"units": units})).to_zarr(tmp_path / f"a{units}")
        told = info(tmp_path / f"a{units}")
        assert np.allclose(told["areas"], given / given.sum(), rtol=1e-6) and told["notes"] == []
    radians = data.drop_vars(["latitude", "longitude"]).assign_coords(  # as ICON writes them
        clat=("ncells", np.deg2rad(latitude), {"units": "radian", "standard_name": "latitude"}),
        clon=("ncells", np.deg2rad(longitude), {"units": "radian", "standard_name": "longitude"}),
    )
    radians.to_netcdf(tmp_path / "icon.nc")
    assert np.allclose(info(tmp_path / "icon.nc")["latitudes"], latitude)


def run_module(*command):
    environment = os.environ | {"PYTHONPATH": str(ROOT / "python")}
    return subprocess.run([sys.executable, "-m", *command], env=environment, capture_output=True, text=True)


def forecast_on(tmp_path, data, patch, ranks, place):
    """Trains, evaluates and forecasts on `ranks` ranks: the losses, the scores and the forecast."""
    folder = tmp_path / f"ranks{ranks}"
    folder.mkdir()
    recipe = cells.write_recipe(folder, data, patch, place=place)
    run = folder / "run"
    for command in (
        ("train", recipe),
        ("eval", run),
        (
            "forecast",
            run,
            "--init",
            "2001-01-13",
            "--steps",
            2,
            "--out",
            run / "forecast.zarr",
            "--truth",
            run / "truth.zarr",
        ),
    ):
        result = graticule(*command, ranks=ranks)
        assert result.returncode == 0, result.stderr
    losses = [json.loads(line).get("loss") for line in (run / "metrics.jsonl").read_text().splitlines()]
    scores = json.loads((run / "scores.json").read_text())
    return [loss for loss in losses if loss], scores, xr.open_zarr(run / "forecast.zarr", decode_timedelta=True)


@pytest.mark.parametrize("grid, patch, place", [("O8", 7, "aimed"), ("HEALPix", 4, "rotary")])
def test_a_forecast_from_end_to_end(tmp_path, grid, patch, place):
    latitude, longitude = cells.reduced_gaussian(8) if grid == "O8" else cells.healpix(4)
    data = cells.dataset(latitude, longitude)
    path = tmp_path / "data.zarr"
    data.to_zarr(path)
    losses, scores, forecast = forecast_on(tmp_path, path, patch, 1, place)
    others, _, other = forecast_on(tmp_path, path, patch, 3, place)
    assert np.allclose(losses, others, rtol=2e-5)
    for name in ("2m_temperature", "mean_sea_level_pressure"):
        assert np.allclose(forecast[name], other[name], atol=2e-3)

    # The forecast has the places of the cells, and is a data set on the same cells again.
    assert np.allclose(forecast["latitude"], latitude) and np.allclose(forecast["longitude"], longitude)
    xr.open_zarr(tmp_path / "ranks1" / "run" / "truth.zarr").isel(prediction_timedelta=0).to_netcdf(
        tmp_path / "truth.nc"
    )
    told, again = info(path), info(tmp_path / "truth.nc")
    assert np.allclose(told["areas"], again["areas"]) and told["cells"] == again["cells"]

    # Persistence, weighted by area, against xarray.
    weights = xr.DataArray(told["areas"], dims="cell")
    for line in scores["scores"]:
        if line["forecast"] != "persistence":
            continue
        field = data[line["variable"]].sel(time=slice("2001-01-12", "2001-01-15"))
        error = (field - field.shift(time=4)).isel(time=slice(4, None)).astype("f8")
        wanted = np.sqrt((error**2).weighted(weights).mean("cell").mean("time"))
        assert np.isclose(line["rmse"], wanted, rtol=1e-6)

    # Pictures and the report draw the cells, each pixel the nearest one.
    picture = run_files.open_fields(tmp_path / "ranks1" / "run" / "forecast.zarr")
    assert picture.attrs["cells"] == len(latitude)
    nearest = picture["2m_temperature"].isel(time=0, prediction_timedelta=0)
    values = forecast["2m_temperature"].isel(time=0, prediction_timedelta=0).values
    for north, east in ((3.0, 31.0), (-71.0, 359.0), (89.0, 120.0)):
        pixel = nearest.sel(latitude=north, longitude=east, method="nearest")
        there = cell_maps.directions(pixel["latitude"].values, pixel["longitude"].values)
        assert pixel.values == values[(cell_maps.directions(latitude, longitude) @ there).argmax()]
    for command in (["graticule.plot"], ["graticule", "report"]):
        drawn = run_module(*command, tmp_path / "ranks1" / "run")
        assert drawn.returncode == 0, drawn.stderr

    # The exported model makes the same forecast in plain PyTorch.
    exported = tmp_path / "model.safetensors"
    result = graticule("export", tmp_path / "ranks1" / "run", exported)
    assert result.returncode == 0, result.stderr
    mine = package.load(exported).forecast(xr.open_zarr(path), "2001-01-13", steps=2)
    for name in ("2m_temperature", "mean_sea_level_pressure"):
        assert np.allclose(mine[name], forecast[name], atol=2e-3)


def broken(data, **changes):
    """The data set with other values or attributes of its coordinates."""
    for name, change in changes.items():
        data[name] = (data[name].dims, change(data[name].values.copy()), data[name].attrs)
    return data


def set_first(value):
    def change(values):
        values[0] = value
        return values

    return change


def with_areas(data, first):
    return broken(data.assign_coords(cell_area=("cell", np.ones(192))), cell_area=set_first(first))


HEALPIX = {"healpix_nside": 4, "healpix_order": "nest"}


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda d, p: broken(d, latitude=set_first(np.nan)), "latitude has no value at cell 0 of 192"),
        (lambda d, p: broken(d, longitude=set_first(np.inf)), "longitude has an infinite one at cell 0"),
        (lambda d, p: broken(d, latitude=set_first(97)), "cell 0 lies at latitude 97"),
        (lambda d, p: with_areas(d, 0), "the area of cell 0 is 0"),
        (lambda d, p: with_areas(d, np.nan), "cell_area has no value at cell 0"),
        (lambda d, p: cells.with_mapping(p, **HEALPIX | {"healpix_nside": 8}), "nside = 8 has 768 cells, but the"),
        (lambda d, p: cells.with_mapping(p.isel(cell=slice(100)), healpix_order="ring"), "100 cells are no HEALPix"),
        (lambda d, p: cells.with_mapping(p, **HEALPIX | {"healpix_order": "nuniq"}), "in the order nuniq: known are"),
        (lambda d, p: cells.with_mapping(p, healpix_nside=6, healpix_order="nested"), "it must be a power of two"),
        (lambda d, p: cells.with_mapping(d, **HEALPIX | {"healpix_order": "ring"}), "longitude lie elsewhere"),
        (lambda d, p: cells.with_mapping(p.assign_coords(cell=np.arange(192) + 1), **HEALPIX), "cell has 192: cells"),
    ],
)  # fmt: skip
def test_bad_cells_are_refused(tmp_path, make, words):
    placed, plain = (cells.dataset(*cells.healpix(4), places=places) for places in (True, False))
    make(placed, plain).to_zarr(tmp_path / "a.zarr")
    assert words in refusal("data", "info", tmp_path / "a.zarr")


def test_coordinates_of_another_length_are_refused(tmp_path):
    path = tmp_path / "a.zarr"
    data = cells.dataset(*cells.healpix(4)).assign_coords(cell_area=("cell", np.ones(192)))
    for name in ("latitude", "cell_area"):
        data.to_zarr(path, mode="w", zarr_format=2, consolidated=False)
        short = xr.Dataset({name: (("cell",), data[name].values[:190], data[name].attrs)})
        short.to_zarr(path / "short", mode="w", zarr_format=2, consolidated=False)
        (path / name).rename(tmp_path / f"long_{name}")
        (path / "short" / name).rename(path / name)
        assert f"{name} has 190 values for 192 cells" in refusal("data", "info", path)


def test_the_recipe_names_the_grid_and_a_patch_that_fits(tmp_path):
    path = tmp_path / "a.zarr"
    cells.dataset(*cells.healpix(4)).to_zarr(path)
    on_sphere = cells.write_recipe(tmp_path, path, replace=[('grid = "cells"\n', "")])
    assert 'is on a list of cells: set data.grid = "cells"' in refusal("train", on_sphere)
    too_large = cells.write_recipe(tmp_path, path, patch=193)
    assert "patch = 193 on a grid of 192 cells: choose at most 192" in refusal("train", too_large)
    boxes = cells.write_recipe(tmp_path, path, patch="[2, 4]")
    assert "give one number" in refusal("train", boxes)
    task = [("lead_hours = 24\n", ""), ("[model]", '[task]\nkind = "downscale"\n[model]')]
    finer = cells.write_recipe(tmp_path, path, replace=task)
    assert "on a grid of 192 cells: it needs rows and columns" in refusal("train", finer)
    lattice = tmp_path / "b.nc"
    xr.Dataset(
        {"t2m": (("time", "lat", "lon"), np.zeros((4, 6, 12), "f4"))},
        {"time": cells.times(4), "lat": np.linspace(-75, 75, 6), "lon": np.arange(12) * 30.0},
    ).to_netcdf(lattice)
    recipe = cells.write_recipe(tmp_path, lattice)
    assert 'is on latitudes and longitudes: leave data.grid = "cells" out' in refusal("train", recipe)
    recipe = cells.write_recipe(tmp_path, "synthetic:rows=8,columns=12")
    assert "synthetic data lie on a sphere" in refusal("train", recipe)
    assert "only fields on a sphere are converted" in refusal("data", "convert", path, tmp_path / "c.zarr")
    checked = graticule("data", "check", path, "--variables", "2m_temperature", "land_sea_mask")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_two_files_must_have_the_same_cells(tmp_path):
    latitude, longitude = cells.healpix(4)
    cells.dataset(latitude, longitude, ["2m_temperature"]).to_netcdf(tmp_path / "a.nc")
    moved = cells.dataset(latitude, longitude + 1, ["mean_sea_level_pressure"])
    moved.drop_vars("land_sea_mask").to_netcdf(tmp_path / "b.nc")
    assert "are other cells (192, cells) than those of" in refusal("data", "info", f"{tmp_path}/a.nc,{tmp_path}/b.nc")


def test_a_dry_run_and_check_take_cells(tmp_path):
    path = tmp_path / "a.zarr"
    cells.dataset(*cells.reduced_gaussian(8)).to_zarr(path)
    recipe = cells.write_recipe(tmp_path, path, patch=7, place="aimed")
    result = graticule("plan", recipe, "--ranks", 3, "--dry-run", 1)
    assert result.returncode == 0, result.stderr
    result = graticule("check", recipe, ranks=3)
    assert result.returncode == 0, result.stdout + result.stderr
