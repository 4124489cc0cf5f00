"""Tests that the names of other archives become ours, by the parameter's number where a file has it, and never by a
guess."""

import pytest

from sky import level_of, sky
from test_axes import info, refusal

pytestmark = pytest.mark.filterwarnings("ignore")
TWO_METRES = "2m_temperature"


@pytest.mark.parametrize(
    "name, attributes, want",
    [
        ("2t", {}, TWO_METRES),
        ("VAR_2T", {"units": "K"}, TWO_METRES),
        ("tas", {}, TWO_METRES),
        ("u10m", {}, "10m_u_component_of_wind"),
        ("100v", {}, "100m_v_component_of_wind"),
        ("SP", {"units": "Pa"}, "surface_pressure"),
        ("d2", {}, "2m_dewpoint_temperature"),
        ("air_temp", {"GRIB_paramId": 167}, TWO_METRES),
        ("t2m", {"GRIB_paramId": 167}, TWO_METRES),
        ("sd", {"GRIB_paramId": 228141, "units": "kg m-2"}, "sd"),
        ("vo", {"units": "m s-1"}, "vo"),
        ("o3", {"units": "mol mol-1", "standard_name": "mole_fraction_of_ozone_in_air"}, "o3"),
        ("o3", {"units": "kg kg-1"}, "ozone_mass_mixing_ratio"),
        ("tp", {"units": "s", "standard_name": "sea_surface_wave_period_at_spectral_maximum"}, "tp"),
        ("tp", {"units": "m"}, "total_precipitation"),
        ("my_field", {}, "my_field"),
    ],
)
def test_a_name_becomes_ours(tmp_path, name, attributes, want):
    data = sky()[["t2m"]].rename(t2m=name)
    data[name].attrs = attributes
    data.to_netcdf(tmp_path / "a.nc")
    assert info(tmp_path / "a.nc")["names"] == [want]


def test_ncar_writes_capitals(tmp_path):
    level_of(sky(), units="hPa").rename(t="T", z="Z").to_netcdf(tmp_path / "a.nc")
    want = ["geopotential@500", "geopotential@850", "temperature@500", "temperature@850"]
    assert info(tmp_path / "a.nc")["names"] == want


def test_two_names_of_one_variable(tmp_path):
    data = sky()[["t2m"]]
    data.assign({"2t": data.t2m + 1}).to_netcdf(tmp_path / "a.nc")
    message = refusal(tmp_path / "a.nc")
    assert f"{TWO_METRES} at 2001-01-01T00:00:00 is given twice" in message and "2t in" in message
