"""Tests the times of other programs' files: the time at which a field is valid, whatever else the file contains."""

import json

import numpy as np
import pytest

from command import graticule
from sky import sky
from test_axes import info, refusal

pytestmark = pytest.mark.filterwarnings("ignore")
DAY = np.timedelta64(24, "h")


def first(path):
    return info(path)["times"]["first"]


def as_reference(data):
    data.time.attrs["standard_name"] = "forecast_reference_time"
    return data


def test_valid_time_beside_a_reference_time(tmp_path):
    data = as_reference(sky()).assign_coords(step=DAY)
    data = data.assign_coords(valid_time=("time", data.time.values + DAY, {"standard_name": "time"}))
    data.to_netcdf(tmp_path / "a.nc")
    told = info(tmp_path / "a.nc")
    assert told["times"]["first"] == "2001-01-02T00:00:00" and "valid_time" in told["notes"]


@pytest.mark.parametrize("place", ["scalar", "dimension"])
def test_a_reference_time_and_one_lead(tmp_path, place):
    data = as_reference(sky()).assign_coords(step=DAY)
    if place == "dimension":
        data = data.expand_dims("step", axis=1)
    data.to_netcdf(tmp_path / "a.nc")
    told = info(tmp_path / "a.nc")
    assert told["times"]["first"] == "2001-01-02T00:00:00" and "24 h" in told["notes"]


def test_a_reference_time_alone_is_told(tmp_path):
    as_reference(sky()).to_netcdf(tmp_path / "a.nc")
    assert "gives the start of forecasts" in info(tmp_path / "a.nc")["notes"]


def test_several_leads_are_refused_by_name(tmp_path):
    leads = np.array([6, 12]) * np.timedelta64(1, "h")
    as_reference(sky()).expand_dims(step=leads).to_netcdf(tmp_path / "a.nc")
    assert "step of size 2 holds leads" in refusal(tmp_path / "a.nc")


@pytest.mark.parametrize("form", ["nc", "zarr"])
def test_a_file_a_time(tmp_path, form):
    paths = []
    for i in range(4):
        paths.append(tmp_path / f"{i}.{form}")
        one = sky().isel(time=i)
        one.to_zarr(paths[-1]) if form == "zarr" else one.to_netcdf(paths[-1])
    told = info(",".join(map(str, paths)))
    assert told["times"]["count"] == 4 and told["times"]["step_seconds"] == 21600


@pytest.mark.parametrize(
    ("units", "calendar"), [("Hours since 2001-01-01", "standard"), ("hours Since 2001-01-01", "Gregorian")]
)
def test_capitals(tmp_path, units, calendar):
    import netCDF4

    sky().drop_vars("time").to_netcdf(tmp_path / "a.nc")
    with netCDF4.Dataset(tmp_path / "a.nc", "a") as file:
        time = file.createVariable("time", "i4", ("time",))
        time.units, time.calendar = units, calendar
        time[:] = np.arange(8) * 6
    assert first(tmp_path / "a.nc") == "2001-01-01T00:00:00"


def test_a_time_that_was_never_written(tmp_path):
    import netCDF4

    sky().to_netcdf(tmp_path / "a.nc", unlimited_dims=["time"])
    with netCDF4.Dataset(tmp_path / "a.nc", "a") as file:
        file["t2m"][8] = 280
    message = refusal(tmp_path / "a.nc")
    assert "a.nc: time has no value at index 8 of 9" in message


def test_a_forecast_file_is_read_at_its_valid_times(tmp_path):
    """Our own: time is the initial time, prediction_timedelta the lead."""
    data = as_reference(sky()).expand_dims(prediction_timedelta=[DAY], axis=1)
    data.to_zarr(tmp_path / "a.zarr")
    assert first(tmp_path / "a.zarr") == "2001-01-02T00:00:00"


def test_statistics_say_their_units(tmp_path):
    sky().to_netcdf(tmp_path / "a.nc")
    told = json.loads(graticule("data", "stats", tmp_path / "a.nc").stdout)["variables"]
    assert told["2m_temperature"]["units"] == "K"


@pytest.mark.parametrize("other", ["analysis_time", "init_time"])
@pytest.mark.parametrize("form", ["nc", "zarr"])
def test_a_scalar_time_beside_another(tmp_path, other, form):
    """The alphabet does not decide which of two scalar times is meant."""
    one = sky().isel(time=3).assign_coords({other: np.datetime64("1999-01-01", "ns")})
    path = tmp_path / f"a.{form}"
    one.to_zarr(path) if form == "zarr" else one.to_netcdf(path)
    assert first(path) == "2001-01-01T18:00:00"


def test_a_scalar_time_that_the_fields_do_not_name(tmp_path):
    import netCDF4

    for i in range(2):
        path = tmp_path / f"{i}.nc"
        sky().isel(time=i, drop=True).assign_coords(height=2.0).to_netcdf(path)
        with netCDF4.Dataset(path, "a") as file:
            time = file.createVariable("time", "f8", ())
            time.units = "hours since 2001-01-01"
            time[...] = 6 * i
    assert info(tmp_path)["times"]["count"] == 2


def test_one_time_that_cannot_be_read_makes_no_constant(tmp_path):
    data = sky(1)
    data = data.assign_coords(time=("time", [20010101.25], {"units": "Julian day"}))
    data.to_netcdf(tmp_path / "a.nc")
    assert "its time, time, cannot be read" in refusal(tmp_path / "a.nc")


def test_nothing_was_written(tmp_path):
    sky().isel(time=slice(0, 0)).to_netcdf(tmp_path / "a.nc")
    assert "time has size 0: nothing was written" in refusal(tmp_path / "a.nc")


def test_times_out_of_order_are_told(tmp_path):
    sky().isel(time=[0, 2, 1, 3]).to_netcdf(tmp_path / "a.nc")
    told = info(tmp_path / "a.nc")
    assert told["times"]["gaps"] == 0 and "not in order" in told["notes"]


def test_the_same_time_twice_in_one_file(tmp_path):
    sky().isel(time=[0, 1, 1]).to_netcdf(tmp_path / "a.nc")
    assert "twice along its time" in refusal(tmp_path / "a.nc")


@pytest.mark.parametrize(
    "units", ["hours  since 2001-01-01", "milliseconds since 2001-01-01", "days since 2001-01-01T00Z"]
)
def test_spellings_of_time_units(tmp_path, units):
    import netCDF4

    sky(1).drop_vars("time").to_netcdf(tmp_path / "a.nc")
    with netCDF4.Dataset(tmp_path / "a.nc", "a") as file:
        time = file.createVariable("time", "f8", ("time",))
        time.units = units
        time[:] = 0
    assert first(tmp_path / "a.nc") == "2001-01-01T00:00:00"


def test_a_time_that_no_field_uses_stands_in_no_way(tmp_path):
    data = sky().assign_coords(month=("month", [1, 2], {"units": "months since 2001-01-01"}))
    data.to_netcdf(tmp_path / "a.nc")
    assert first(tmp_path / "a.nc") == "2001-01-01T00:00:00"


@pytest.mark.parametrize("calendar", ["proleptic_gregorian", "360_day"])
def test_dates_as_numbers(tmp_path, calendar):
    """CDO's absolute times, which ICON writes."""
    data = sky().drop_vars("time")
    days = 20010227 + np.arange(8) // 4 + np.arange(8) % 4 / 4
    attributes = {"units": "day as %Y%m%d.%f", "calendar": calendar, "standard_name": "time"}
    data["time"] = ("time", days, attributes)
    data.to_netcdf(tmp_path / "a.nc")
    told = info(tmp_path / "a.nc")["times"]
    assert (told["first"], told["last"], told["count"]) == ("2001-02-27T00:00:00", "2001-02-28T18:00:00", 8)
    data["time"] = ("time", days + 2, attributes)
    data.to_netcdf(tmp_path / "b.nc")
    if calendar == "360_day":
        assert info(tmp_path / "b.nc")["times"]["first"] == "2001-02-29T00:00:00"
    else:
        assert "is no day of the calendar" in refusal(tmp_path / "b.nc")
    data["time"] = ("time", 200102 + np.arange(8.0), {**attributes, "units": "month as %Y%m.%f"})
    data.to_netcdf(tmp_path / "c.nc")
    assert "cdo -r copy" in refusal(tmp_path / "c.nc")
