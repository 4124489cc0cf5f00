"""Tests the calendars of climate models, against cftime: times of files, splits, climatology, forecasts; and the times
that a store itself declares."""

import json

import cftime
import netCDF4
import numpy as np
import pytest
import xarray as xr

from command import graticule, write_recipe
from seed import seeded
from sky import sky
from test_axes import info, refusal

pytestmark = pytest.mark.filterwarnings("ignore")
WORDS = ["noleap", "365_day", "all_leap", "366_day", "360_day", "julian", "proleptic_gregorian", "standard", ""]


def write_times(path, values, units, calendar, kind="f8"):
    sky(len(values)).drop_vars("time").to_netcdf(path)
    with netCDF4.Dataset(path, "a") as file:
        time = file.createVariable("time", kind, ("time",))
        time.units = units
        if calendar:
            time.calendar = calendar
        time[:] = values


def told_times(path):
    times = info(path)["times"]
    return times["first"], times["last"]


@pytest.mark.parametrize("calendar", WORDS)
def test_times_are_those_of_cftime(tmp_path, calendar):
    random = seeded(11)
    for unit, seconds in (("days", 86400), ("hours", 3600), ("seconds", 1)):
        year = random.integers(1600 if calendar in ("standard", "") else 1, 2200)
        units = f"{unit} since {year:04d}-{random.integers(1, 13)}-{random.integers(1, 29)} 06:30:00"
        values = np.sort(random.integers(0, 400 * 86400 * 365, 2)) / seconds
        write_times(tmp_path / "a.nc", values, units, calendar)
        dates = cftime.num2date(np.round(values * seconds), units.replace(unit, "seconds"), calendar or "standard")
        expected = tuple(f"{d.year:04d}-{d.strftime('%m-%dT%H:%M:%S')}" for d in dates)
        assert told_times(tmp_path / "a.nc") == expected, (units, calendar, values)


def test_an_old_origin_of_the_standard_calendar(tmp_path):
    """The Julian days before 1582 count, as cftime has it."""
    value = cftime.date2num(cftime.datetime(2001, 3, 1, calendar="standard"), "days since 0001-01-01", "standard")
    write_times(tmp_path / "a.nc", [value], "days since 0001-01-01", "standard")
    assert told_times(tmp_path / "a.nc")[0] == "2001-03-01T00:00:00"
    write_times(tmp_path / "b.nc", [5], "days since 0001-01-01", "standard")
    assert "before 1582-10-15" in refusal(tmp_path / "b.nc")


def test_days_as_short_floats(tmp_path):
    """Hourly times as 32-bit days are up to 169 s off; they are told as the hours that were meant."""
    hours = np.arange(48)
    write_times(tmp_path / "a.nc", 55000 + hours / 24, "days since 1850-01-01", "noleap", "f4")
    times = info(tmp_path / "a.nc")["times"]
    assert times["step_seconds"] == 3600 and times["gaps"] == 0 and times["calendar"] == "noleap"


def test_two_calendars_are_refused(tmp_path):
    for i, calendar in enumerate(("noleap", "360_day")):
        write_times(tmp_path / f"{i}.nc", np.arange(4) + 4 * i, "days since 2001-01-01", calendar)
    message = refusal(tmp_path)
    assert "noleap" in message and "360_day" in message and "1.nc" in message


def model_year(calendar, years=2):
    """Daily fields over whole years, with a season."""
    dates = xr.date_range("2001-01-01", f"{2000 + years}-12-30", freq="D", calendar=calendar, use_cftime=True)
    data = sky(len(dates))
    data["t2m"] += 10 * np.sin(np.arange(len(dates)) / 58).astype("f4")[:, None, None]
    return data.assign_coords(time=dates)


@pytest.mark.parametrize("calendar", ["noleap", "360_day"])
@pytest.mark.parametrize("form", ["nc", "zarr"])
def test_a_run_in_a_calendar(tmp_path, calendar, form):
    """Splits, scores with the climatology by day of the year, and forecasts keep the calendar of the data."""
    data, path = model_year(calendar), tmp_path / f"a.{form}"
    data.to_zarr(path) if form == "zarr" else data.to_netcdf(path)
    last = data.time.values[(365 if calendar == "noleap" else 360) - 1].strftime("%Y-%m-%d")
    recipe = write_recipe(
        tmp_path,
        replace=[
            ('path = "synthetic:rows=8,columns=12,variables=6,times=200"', f'path = "{path}"'),
            ('train = ["2001-01-01", "2001-02-04"]', f'train = ["2001-01-01", "{last}"]'),
            ('test = ["2001-02-07", "2001-02-18"]', 'test = ["2002-02-20", "2002-03-04"]'),
            ("heads = 4", "heads = 4\ncalendar = true"),
        ],
    )
    graticule("train", recipe, check=True)
    scores = graticule("eval", tmp_path / "run", check=True).stdout
    assert "climatology by day of year" in scores
    by_date = ("--by-date", "--out", tmp_path / "by_date.json")
    graticule("eval", tmp_path / "run", "--range", "2002-02-20", "2002-02-28", *by_date, check=True)
    dates = json.loads((tmp_path / "by_date.json").read_text())["dates"]
    assert dates and all("2002-02-20" <= date[:10] <= "2002-02-27" for date in dates), dates
    out = tmp_path / f"out.{form}"
    start = "2002-02-28"
    graticule("forecast", tmp_path / "run", "--init", start, "--steps", "3", "--out", out, check=True)
    decode = xr.coders.CFDatetimeCoder(use_cftime=True)
    with xr.open_dataset(out, decode_times=decode) as forecast:
        assert forecast.time.dt.calendar == calendar
        assert forecast.time.values[0].strftime("%Y-%m-%d") == start
        valid = forecast.time.values[0] + np.timedelta64(24, "h").astype("timedelta64[s]").item()
        assert valid.strftime("%m-%d") == ("03-01" if calendar == "noleap" else "02-29")
    wrong = graticule("forecast", tmp_path / "run", "--init", "2002-02-31", "--out", tmp_path / f"x.{form}")
    assert wrong.returncode == 2 and f"no day of the calendar {calendar}" in wrong.stderr


def test_a_store_that_declares_its_times(tmp_path):
    """As ARCO-ERA5: the axis starts long before the data, which are absent chunks there."""
    data = sky(12)
    data = data.drop_vars("time").assign_coords(time=("time", np.arange(12) * 24, {"units": "hours since 1900-01-01"}))
    data.attrs = {"valid_time_start": "1900-01-04", "valid_time_stop": "1900-01-09"}
    data.to_zarr(tmp_path / "a.zarr", zarr_format=2)
    data.to_netcdf(tmp_path / "a.nc")
    for name in ("a.zarr", "a.nc"):
        told = info(tmp_path / name)
        assert told["times"]["count"] == 6 and told["times"]["first"].startswith("1900-01-04"), told
        assert "6 of 12 times are left out: the store declares data from 1900-01-04" in told["notes"]
    data.attrs = {"valid_time_start": "soon"}
    data.to_zarr(tmp_path / "b.zarr")
    assert "valid_time_start" in refusal(tmp_path / "b.zarr")


def test_missing_dates(tmp_path):
    data = sky(8)
    data.attrs["missing_dates"] = ["2001-01-01T06:00:00", "2001-01-01T12:00:00"]
    data.to_zarr(tmp_path / "a.zarr")
    told = info(tmp_path / "a.zarr")
    assert told["times"]["count"] == 6 and told["times"]["gaps"] == 1 and "lists 2 as missing" in told["notes"]
