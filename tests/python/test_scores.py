"""Compares `graticule eval --by-date` with two other scorers on the program's forecast files: plain xarray, and the
public package `scores`. docs/scores.md has the largest differences."""

import json

import numpy as np
import pytest
import xarray as xr
from scores.continuous import additive_bias, mse
from scores.functions import create_latitude_weights
from scores.processing import broadcast_and_match_nan

import xarray_scores as plain
from command import VARIABLES, graticule, write_recipe
from seed import seeded

CONVENTIONS = ("wb2", "wb1", "climax")
RANGE = ("2004-12-26", "2005-01-06")  # holds a day 366
TRAINING = slice("2003-01-01", "2004-11-30")
TOLERANCE = 1e-8


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with data.nc, two years and more with holes in one variable, and a model of a few steps. The holes are
    scattered, at one place always, at one never in what is scored, and one date has no value at all."""
    folder = tmp_path_factory.mktemp("scores")
    size = ("--rows", 8, "--columns", 12, "--variables", 6, "--times", 2960, "--start", "2003-01-01")
    graticule("data", "synth", folder / "whole.nc", *size, check=True)
    with xr.open_dataset(folder / "whole.nc") as opened:
        holed = opened.load()
    random = seeded(5)
    field = holed["2m_temperature"]
    holed["2m_temperature"] = field.where(random.random(field.shape) > 0.02)
    holed["2m_temperature"][{"latitude": 3, "longitude": 4}] = np.nan
    holed["2m_temperature"][{"latitude": 5, "longitude": 6}].loc[{"time": slice(None, "2004-12-20")}] = np.nan
    holed["2m_temperature"].loc[{"time": "2005-01-02T06"}] = np.nan
    holed.to_netcdf(folder / "data.nc")
    replace = [
        ('"synthetic:rows=8,columns=12,variables=6,times=200"', f'"{folder}/data.nc"\nmissing = "mean"'),
        ("lead_hours = 24", "lead_hours = [6, 24, 72]"),
        ('"2001-01-01", "2001-02-04"', f'"{TRAINING.start}", "{TRAINING.stop}"'),
        ('"2001-02-07", "2001-02-18"', '"{}", "{}"'.format(*RANGE)),
        ("batch = 2", f"batch = 2\n{VARIABLES}"),
    ]
    result = graticule("train", write_recipe(folder, steps=12, replace=replace))
    assert result.returncode == 0, result.stderr
    return folder


def evaluate(folder, convention, lead, steps):
    out = folder / f"{convention}-{lead}-{steps}.json"
    options = ("--lead", lead, "--steps", steps, "--convention", convention, "--by-date", "--out", out)
    result = graticule("eval", folder / "run", *options)
    assert result.returncode == 0, result.stderr
    return json.loads(out.read_text())


def write_fields(folder, lead, steps, dates):
    """Forecast and truth of all these dates, as the program writes them."""
    paths = [folder / f"{kind}-{lead}-{steps}.nc" for kind in ("forecast", "truth")]
    times = ("--init", dates[0], "--until", dates[-1], "--every", 6)
    options = ("--lead", lead, "--steps", steps, "--out", paths[0], "--truth", paths[1])
    result = graticule("forecast", folder / "run", *times, *options)
    assert result.returncode == 0, result.stderr
    return [xr.load_dataset(path) for path in paths]


def field(dataset, variable):
    name, _, level = variable.partition("@")
    return dataset[name].sel(level=int(level)) if level else dataset[name]


def by_initial_time(fields, forecast):
    return fields.assign_coords(time=forecast["time"])


class Series:
    """One line of scores.json as fields: a forecast, the truth, the climatology of each convention; by initial time."""

    def __init__(self, line, data, forecast, truth):
        variable, lead = line["variable"], np.timedelta64(line["lead_hours"], "h")
        of_data = field(data, variable)
        self.truth = field(truth, variable).sel(prediction_timedelta=lead)
        valid = self.truth["time"] + lead
        daily = plain.daily_climatology(of_data.sel(time=TRAINING), valid)
        mean = plain.time_mean(of_data.sel(time=slice(*RANGE)), valid["time"])
        self.climatology = {"wb2": by_initial_time(daily, truth), "wb1": mean, "climax": mean}
        self.model = field(forecast, variable).sel(prediction_timedelta=lead)
        self.persistence = of_data.sel(time=truth["time"])

    def forecast(self, kind, convention):
        return self.climatology[convention] if kind == "climatology" else getattr(self, kind)


def by_scores(forecast, truth, usual, convention):
    """RMSE, ACC, and those of each date by the package `scores`. It has no weighted correlation, so products come from
    its mse: 2 <f o> = <f^2> + <o^2> - <(f - o)^2>."""
    weights = create_latitude_weights(truth["latitude"].astype("float64"))
    forecast, truth, usual = (x.astype("float64") for x in (forecast, truth, usual))
    f, o = broadcast_and_match_nan(forecast - usual, truth - usual)

    def correlation(f, o, **dims):
        ff, oo, error = (mse(a, b, weights=weights, **dims) for a, b in ((f, 0 * f), (o, 0 * o), (f, o)))
        return (ff + oo - error) / 2 / np.sqrt(ff * oo)

    square = mse(forecast, truth, weights=weights, preserve_dims="time")
    by_date = correlation(f, o, preserve_dims="time")
    root = np.sqrt(square).mean() if convention == "climax" else np.sqrt(square.mean())
    if convention == "wb2":
        return root, by_date.mean(), square, by_date
    if convention == "wb1":
        f, o = f - additive_bias(f, 0 * f), o - additive_bias(o, 0 * o)
    return root, correlation(f, o), square, by_date


def by_xarray(forecast, truth, usual, convention):
    return (
        plain.rmse(forecast, truth, convention),
        plain.acc(forecast, truth, usual, convention),
        plain.mse_by_date(forecast, truth, convention),
        plain.acc_by_date(forecast, truth, usual, convention),
    )


def difference(line, expected, with_acc):
    """The largest relative one between a line of scores.json and another scorer's four results."""
    ours = [line["rmse"], line["acc"], line["mse"], line["acc_by_date"]]
    largest = 0
    for mine, theirs in list(zip(ours, expected, strict=True))[:: 1 if with_acc else 2]:
        mine = np.array(mine, dtype=float)
        assert mine.shape == theirs.shape and np.array_equal(np.isnan(mine), np.isnan(theirs.values))
        largest = max(largest, float(np.nanmax(np.abs(mine - theirs.values) / np.abs(theirs.values))))
    return largest


@pytest.mark.parametrize(("lead", "steps"), [(6, 1), (24, 2), (72, 1)])
def test_two_other_scorers_agree(trained, lead, steps):
    scored = {convention: evaluate(trained, convention, lead, steps) for convention in CONVENTIONS}
    dates = scored["wb2"]["dates"]
    forecast, truth = write_fields(trained, lead, steps, dates)
    assert [np.datetime64(date) for date in dates] == list(forecast["time"].values)
    data = xr.load_dataset(trained / "data.nc")
    largest = {by_xarray: 0, by_scores: 0}
    for index, line in enumerate(scored["wb2"]["scores"]):
        if line["forecast"] == "model":
            series = Series(line, data, forecast, truth)
        for convention in CONVENTIONS:
            line = scored[convention]["scores"][index]
            kind = line["forecast"]
            fields = (series.forecast(kind, convention), series.truth, series.climatology[convention], convention)
            with_acc = kind != "climatology"
            assert with_acc or (line["acc"] is None and set(line["acc_by_date"]) == {None})
            for scorer in largest:
                off = difference(line, scorer(*fields), with_acc)
                largest[scorer] = max(largest[scorer], off)
                where = (scorer.__name__, convention, kind, line["variable"], line["lead_hours"])
                assert off < TOLERANCE, where
    print("largest relative difference:", {scorer.__name__: off for scorer, off in largest.items()})
