"""Tests axes of other programs' files: shapes, grids, levels, times and units are read correctly, or refused with
the name. docs/data.md has the rules."""

import json

import numpy as np
import pytest
import xarray as xr

from command import graticule
from sky import LATITUDES, level_of, sky, times

pytestmark = pytest.mark.filterwarnings("ignore")


def info(path):
    result = graticule("data", "info", path, "--json")
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)
    told["names"] = sorted(variable["name"] for variable in told["variables"])
    told["notes"] = " | ".join(told["notes"])
    return told


def refusal(path, code=2):
    result = graticule("data", "stats", path)
    assert result.returncode == code, (result.returncode, result.stderr)
    assert result.stderr.startswith("graticule: [") and result.stderr.count("\n") == 1, result.stderr
    assert "damaged" not in result.stderr and "copy it again" not in result.stderr, result.stderr
    return result.stderr


def mean(path, variable):
    result = graticule("data", "stats", path, "--variables", variable)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)["variables"][variable]["mean"]


@pytest.mark.parametrize("longer", ["time", "array"])
def test_an_array_and_its_axis_of_other_lengths(tmp_path, longer):
    data, store = sky(12), tmp_path / "a.zarr"
    data.isel(time=slice(0, 8)).to_zarr(store, zarr_format=2, consolidated=False)
    kept, moved = (["t2m"], "msl") if longer == "time" else (["t2m", "msl"], "time")
    if longer == "time":
        data[kept].isel(time=slice(8, 12)).to_zarr(store, append_dim="time", consolidated=False)
    else:
        data.isel(time=slice(8, 12)).to_zarr(store, append_dim="time", consolidated=False)
        import zarr

        zarr.open_group(store, mode="a")["time"].resize((8,))
    message = refusal(store)
    assert ("msl has 8 along time, but time has 12" in message) == (moved == "msl"), message
    assert "along time, but time has" in message


def test_grids_of_other_sizes_are_named(tmp_path):
    other = sky(latitudes=np.linspace(-80, 80, 9))[["msl"]].rename(latitude="lat_2", longitude="lon_2")
    xr.merge([sky()[["t2m"]], other]).to_netcdf(tmp_path / "a.nc")
    message = refusal(tmp_path / "a.nc")
    assert "lat_2" in message and "9 x 12" in message and "8 x 12" in message


REGIONS = {
    "across 0, from the west": (np.arange(-20, 28, 2.0), -20, 26),
    "across 0, in [0, 360)": (np.arange(-20, 28, 2.0) % 360, -20, 26),
    "across 0, in two pieces": (np.sort(np.arange(-20, 28, 2.0) % 360), -20, 26),
    "across the date line": (np.arange(150, 212, 2.0), 150, 210),
    "west of Greenwich": (np.arange(-80, -20, 2.0), 280, 338),
    "the whole globe from -180": (np.arange(-180, 180, 30.0), 0, 330),
    "one meridian short of the globe": (np.arange(0, 330, 30.0), 0, 300),
}


@pytest.mark.parametrize("region", REGIONS)
def test_neighbours_stay_neighbours(tmp_path, region):
    longitudes, first, last = REGIONS[region]
    sky(longitudes=longitudes).to_netcdf(tmp_path / "a.nc")
    told = info(tmp_path / "a.nc")["longitudes"]
    assert (told[0], told[-1]) == (first, last)
    assert np.ptp(np.diff(told)) < 1e-9


def rotated(data):
    data = data.rename(latitude="rlat", longitude="rlon")
    data.rlat.attrs = {"units": "degrees", "standard_name": "grid_latitude", "axis": "Y"}
    data.rlon.attrs = {"units": "degrees", "standard_name": "grid_longitude", "axis": "X"}
    return data


def curvilinear(data):
    north, east = np.meshgrid(LATITUDES, np.arange(12) * 30.0, indexing="ij")
    data = data.drop_vars(["latitude", "longitude"]).rename(latitude="y", longitude="x")
    data = data.assign_coords(lat=(("y", "x"), north, {"units": "degrees_north"}))
    return data.assign_coords(lon=(("y", "x"), east, {"units": "degrees_east"}))


def nominal(data):
    """One-dimensional latitudes that are only nominal: the field names two-dimensional ones."""
    north, east = np.meshgrid(LATITUDES, np.arange(12) * 30.0, indexing="ij")
    dims = ("latitude", "longitude")
    data = data.assign_coords(geolat=(dims, north, {"units": "degrees_north"}))
    return data.assign_coords(geolon=(dims, east, {"units": "degrees_east"}))


def mapped(data):
    data = data.assign(pole=((), 0, {"grid_mapping_name": "rotated_latitude_longitude"}))
    for name in ("t2m", "msl"):
        data[name].attrs["grid_mapping"] = "pole"
    return data


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (rotated, "no variable on latitudes and longitudes"),
        (curvilinear, "lat has several dimensions"),
        (nominal, "geolat has several dimensions"),
        (mapped, "rotated_latitude_longitude"),
    ],
)
def test_other_grids_are_refused_by_name(tmp_path, make, words):
    make(sky()).to_netcdf(tmp_path / "a.nc")
    assert words in refusal(tmp_path / "a.nc")


def test_plain_grid_mapping_is_no_obstacle(tmp_path):
    data = mapped(sky())
    data.pole.attrs["grid_mapping_name"] = "latitude_longitude"
    data.to_netcdf(tmp_path / "a.nc")
    assert info(tmp_path / "a.nc")["names"] == ["2m_temperature", "mean_sea_level_pressure"]


HYBRID = {"units": "hPa", "standard_name": "atmosphere_hybrid_sigma_pressure_coordinate", "formula_terms": "a: b"}
NO_PRESSURES = {
    "hybrid levels": ((500.0, 850.0), HYBRID),
    "hybrid levels by their long name": ((500.0, 850.0), {"units": "hPa", "long_name": "hybrid level at midpoints"}),
    "numbers of model levels": ((136, 137), {"standard_name": "model_level_number"}),
    "counted, without attributes": ((1, 2, 3, 4, 5), {}),
    "pascals without units": ((50000.0, 85000.0), {}),
    "heights": ((500.0, 850.0), {"units": "m"}),
}


@pytest.mark.parametrize("kind", NO_PRESSURES)
def test_what_are_no_pressure_levels(tmp_path, kind):
    values, attributes = NO_PRESSURES[kind]
    data = sky().merge(level_of(sky(), values, **attributes))
    data.to_netcdf(tmp_path / "a.nc")
    told = info(tmp_path / "a.nc")
    assert told["names"] == ["2m_temperature", "mean_sea_level_pressure"], told["names"]
    assert "lev" in told["notes"]


PRESSURES = {"hPa": 1, "Millibars": 1, "Pa": 100, "": 1}


@pytest.mark.parametrize("units", PRESSURES)
def test_pressure_levels(tmp_path, units):
    values = [500.0 * PRESSURES[units], 850.0 * PRESSURES[units]]
    level_of(sky(), values, **({"units": units} if units else {})).to_netcdf(tmp_path / "a.nc")
    assert "temperature@500" in info(tmp_path / "a.nc")["names"]


@pytest.mark.parametrize("form", ["zarr 2", "zarr 3", "NETCDF3_CLASSIC", "NETCDF4"])
def test_one_level_cut_out_keeps_its_level(tmp_path, form):
    data = level_of(sky(), units="hPa").sel(lev=500.0)
    path = tmp_path / ("a.zarr" if "zarr" in form else "a.nc")
    data.to_zarr(path, zarr_format=int(form[-1])) if "zarr" in form else data.to_netcdf(path, format=form)
    assert info(path)["names"] == ["geopotential@500", "temperature@500"]


def test_a_geopotential_without_level_is_told(tmp_path):
    level_of(sky(), units="hPa").sel(lev=500.0, drop=True).to_netcdf(tmp_path / "a.nc")
    assert "z (" in info(tmp_path / "a.nc")["notes"]


def two_files(folder, change):
    """The first half as it is, the second changed."""
    data = sky()
    later = data.isel(time=slice(4, 8)).copy(deep=True)
    data.isel(time=slice(0, 4)).to_netcdf(folder / "a.nc")
    change(later).to_netcdf(folder / "b.nc")
    return folder


def in_celsius(data):
    return data.assign(t2m=(data.t2m - 273.15).assign_attrs(units="degC"))


def by_mean(data):
    data.t2m.attrs["cell_methods"] = "time: mean"
    return data


OTHERS = {
    "units": (in_celsius, "2m_temperature has units 'K'"),
    "grid": (lambda data: data.assign_coords(latitude=data.latitude + 1), "differ from the 8 x 12"),
    "calendar": (lambda data: data.convert_calendar("noleap"), "noleap"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_files_that_do_not_belong_together(tmp_path, kind):
    change, words = OTHERS[kind]
    assert words in refusal(two_files(tmp_path, change))


def test_other_cell_methods_and_no_units(tmp_path):
    def instant(data):
        return data.assign(t2m=data.t2m.assign_attrs(cell_methods="time: point"))

    by_mean(sky(4)).to_netcdf(tmp_path / "a.nc")
    instant(sky(8).isel(time=slice(4, 8))).to_netcdf(tmp_path / "b.nc")
    assert "cell_methods 'time: mean'" in refusal(tmp_path)
    without = sky(8).isel(time=slice(4, 8))
    del without.t2m.attrs["units"]
    without.to_netcdf(tmp_path / "b.nc")
    assert "2m_temperature has no units" in info(tmp_path)["notes"]


@pytest.mark.parametrize("equal", [True, False])
def test_a_constant_in_every_file(tmp_path, equal):
    for i in range(2):
        data = sky(4).assign_coords(time=times(4, start=times(9)[4 * i]))
        data = data.assign(lsm=(("latitude", "longitude"), np.full((8, 12), 0.5 if equal else i)))
        data.to_netcdf(tmp_path / f"{i}.nc")
    if equal:
        assert "land_sea_mask" in info(tmp_path)["names"]
    else:
        assert "land_sea_mask is given twice" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["z", "lsm", "sst"])
def test_a_field_with_one_time_of_its_own(tmp_path, name):
    sky().to_netcdf(tmp_path / "moving.nc")
    alone = sky(1)[["msl"]].rename(msl=name).assign_coords(time=[np.datetime64("1979-01-01", "ns")])
    alone.to_netcdf(tmp_path / "static.nc")
    if name == "sst":
        message = refusal(tmp_path)
        assert "sea_surface_temperature has 1 times from 1979-01-01" in message
    else:
        told = info(tmp_path)
        assert told["times"]["count"] == 8 and "taken for a constant" in told["notes"]


def test_who_lacks_times_is_named(tmp_path):
    sky(8)[["t2m"]].to_netcdf(tmp_path / "a.nc")
    sky(6)[["msl"]].to_netcdf(tmp_path / "b.nc")
    told = info(tmp_path)
    assert told["times"]["count"] == 6 and "mean_sea_level_pressure lacks 2" in told["notes"]


OTHER_MEANINGS = {
    "vo": {"units": "m s-1", "standard_name": "northward_sea_water_velocity"},
    "ci": {"units": "1", "standard_name": "convection_time_fraction"},
    "cl": {"units": "%"},
    "z": {"units": "m"},
    "d": {"units": "m"},
}


@pytest.mark.parametrize("name", OTHER_MEANINGS)
def test_short_names_of_other_things_stay_as_they_are(tmp_path, name):
    data = sky().rename(msl=name)
    data[name].attrs = OTHER_MEANINGS[name]
    data.to_netcdf(tmp_path / "a.nc")
    assert info(tmp_path / "a.nc")["names"] == ["2m_temperature", name]


@pytest.mark.parametrize("place", ["dimension", "scalar"])
def test_other_members_and_heights_do_not_meet(tmp_path, place):
    for i, value in enumerate((10.0, 100.0)):
        half = sky()[["t2m"]].rename(t2m="u").isel(time=slice(4 * i, 4 * i + 4)).assign_coords(height=value)
        half = half.expand_dims("height", axis=1) if place == "dimension" else half
        half.to_netcdf(tmp_path / f"{i}.nc")
    assert "is at height = 10 in" in refusal(tmp_path)


def test_one_level_that_is_no_pressure_is_told(tmp_path):
    level_of(sky(), [320.0], units="K", standard_name="air_potential_temperature").to_netcdf(tmp_path / "a.nc")
    told = info(tmp_path / "a.nc")
    assert told["names"] == ["geopotential", "temperature"] and "lev = 320" in told["notes"]


def test_a_chosen_level_is_not_that_of_surface_fields(tmp_path):
    data = level_of(sky(), units="hPa").merge(sky()).sel(lev=500.0)
    data.to_netcdf(tmp_path / "a.nc")
    assert info(tmp_path / "a.nc")["names"] == [
        "2m_temperature",
        "geopotential@500",
        "mean_sea_level_pressure",
        "temperature@500",
    ]


def test_pressures_along_model_levels_are_no_levels(tmp_path):
    data = sky().rename(t2m="t").t.expand_dims(lev=2).transpose("time", "lev", ...).to_dataset()
    data["ap"] = ("lev", [2000.0, 5000.0], {"units": "Pa"})
    data.merge(sky()).to_netcdf(tmp_path / "a.nc")
    assert info(tmp_path / "a.nc")["names"] == ["2m_temperature", "mean_sea_level_pressure"]


def test_what_is_no_field_on_the_grid_is_told(tmp_path):
    data = sky()
    data["staggered"] = (("time", "latitude", "edge"), np.zeros((8, 8, 13), "f4"))
    data["zonal"] = data.t2m.mean("longitude")
    data.to_netcdf(tmp_path / "a.nc")
    told = info(tmp_path / "a.nc")
    assert told["names"] == ["2m_temperature", "mean_sea_level_pressure"]
    assert "staggered (" in told["notes"] and "zonal (" in told["notes"]


def test_longitudes_in_single_precision(tmp_path):
    """Written in fp32 the last one is 359.99997, and means 0."""
    east = np.append(np.arange(30, 360, 30), 359.99997).astype("f4")
    sky(2, longitudes=east).to_netcdf(tmp_path / "a.nc")
    told = info(tmp_path / "a.nc")["longitudes"]
    assert told[0] == 0 and told[-1] == 330


def test_letters_that_are_no_utf8(tmp_path):
    """A degree sign in Latin-1, as older programs write it."""
    data = sky()
    data.t2m.attrs["long_name"] = "in QQC"
    data.to_netcdf(tmp_path / "a.nc", format="NETCDF3_CLASSIC")
    raw = (tmp_path / "a.nc").read_bytes()
    (tmp_path / "a.nc").write_bytes(raw.replace(b"QQC", b" \xb0C"))
    told = info(tmp_path / "a.nc")
    assert "in  \u00b0C" in [variable["long_name"] for variable in told["variables"]]
    assert graticule("data", "stats", tmp_path / "a.nc").returncode == 0


def test_a_name_with_an_at(tmp_path):
    sky().rename(msl="flux@toa").to_netcdf(tmp_path / "a.nc")
    assert info(tmp_path / "a.nc")["names"] == ["2m_temperature", "flux_toa"]
    assert graticule("data", "info", tmp_path / "a.nc").returncode == 0


def test_levels_between_whole_numbers(tmp_path):
    """From the data to a forecast file: 0.5 hPa stays 0.5 hPa."""
    level_of(sky(60), [0.5, 850.0], units="hPa").to_netcdf(tmp_path / "a.nc")
    recipe = tmp_path / "r.toml"
    recipe.write_text(
        f'[data]\npath = "{tmp_path}/a.nc"\nlead_hours = 6\ntrain = ["2001-01-01", "2001-01-10"]\n'
        f'[model]\ndim = 16\ndepth = 1\nheads = 2\n[parallel]\n[train]\nsteps = 1\n[run]\nout = "{tmp_path}/run"\n'
    )
    assert graticule("train", recipe).returncode == 0
    out = tmp_path / "f.nc"
    result = graticule("forecast", tmp_path / "run", "--init", "2001-01-12", "--out", out)
    assert result.returncode == 0, result.stderr
    assert list(xr.open_dataset(out).level.values) == [0.5, 850.0]
