"""Tests missing values: the model reads the mean, no forecast is written there, and no score counts them."""

import json

import numpy as np
import pytest

from command import graticule, write_recipe
from seed import seeded

torch = pytest.importorskip("torch")
xarray = pytest.importorskip("xarray")
exported = pytest.importorskip("graticule.exported")

LAND = (slice(2, 5), slice(3, 8))
INIT = "2001-02-10"
STEPS = 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """data.nc: two targets, one of them missing on land and, at INIT, in one more place; a forcing and a constant with
    holes."""
    folder = tmp_path_factory.mktemp("missing")
    random, times, longitude = seeded(3), 200, np.arange(12) * 30.0
    wave = np.cos(2 * np.deg2rad(longitude) - 0.3 * np.arange(times)[:, None, None])
    dims = ("time", "latitude", "longitude")

    def field(base, scale, units):
        noise = random.normal(0, 0.1, (times, 8, 12))
        return (dims, (base + scale * (wave + noise)).astype("f4"), {"units": units})

    fields = {"sst": field(285, 6, "K"), "msl": field(1e5, 500, "Pa"), "tisr": field(1e6, 2e5, "J m**-2")}
    fields["lsm"] = (dims[1:], random.random((8, 12)).astype("f4"), {"units": "1"})
    time = np.datetime64("2001-01-01", "ns") + np.arange(times) * np.timedelta64(6, "h")
    latitude = ("latitude", np.linspace(-78.75, 78.75, 8), {"units": "degrees_north"})
    coordinates = {"time": time, "latitude": latitude, "longitude": ("longitude", longitude, {"units": "degrees_east"})}
    data = xarray.Dataset(fields, coordinates)
    data["sst"].values[:, *LAND] = np.nan
    data["sst"].loc[{"time": f"{INIT}T00"}][6, 1] = np.nan
    data["tisr"].values[::2, 1, 1:4] = np.nan
    data["lsm"].values[7, 7] = np.nan
    data.to_netcdf(folder / "data.nc")
    return folder


def train(folder, predict, tokens, history=1, ranks=1):
    targets = 'targets = ["sea_surface_temperature", "mean_sea_level_pressure"]'
    path = f'"{folder}/data.nc"\nmissing = "mean"\npredict = "{predict}"\nhistory = {history}\n{targets}'
    replace = [
        ('"synthetic:rows=8,columns=12,variables=6,times=200"', path),
        ("dim = 32", f'dim = 32\ntokens = "{tokens}"\npatch = 3'),  # 8 rows: some pixels of a patch lie off the grid
    ]
    run = folder / f"{predict}-{tokens}"
    run.mkdir()
    result = graticule("train", write_recipe(run, steps=20, replace=replace), ranks=ranks)
    assert result.returncode == 0, result.stderr
    return run


def written(path, name):
    """[steps, Y, X] of a file, south first, and the file's own description of the array."""
    with xarray.open_dataset(path) as opened:
        array = opened[name][0].sortby("latitude").transpose("prediction_timedelta", "latitude", "longitude")
        return torch.from_numpy(array.values), opened[name].encoding["_FillValue"]


@pytest.mark.parametrize(
    ("predict", "tokens", "history"),
    [("difference", "full", 1), ("state", "channels", 2), ("difference", "aggregated", 3)],
)
def test_a_roll_out_is_that_of_the_exported_model(predict, tokens, history, folder):
    run = train(folder, predict, tokens, history, ranks=2)
    graticule("export", run / "run", run / "weights", check=True)
    weights, model, statistics = exported.read(run / "weights")
    data = xarray.load_dataset(folder / "data.nc")
    short = {"sea_surface_temperature": "sst", "mean_sea_level_pressure": "msl", "land_sea_mask": "lsm"}

    def fields(step):
        at = data.sel(time=np.datetime64(INIT, "ns") + np.timedelta64(24 * step, "h"))
        return torch.from_numpy(np.stack([at[short.get(name, "tisr")].values for name in model["variables"]]))

    read = torch.stack([fields(-n) for n in range(history)]) if history > 1 else fields(0)
    expected = exported.roll_out(weights, model, statistics, read, 24, STEPS, later=fields)
    for ranks, suffix in ((1, "nc"), (2, "zarr")):
        out, truth = (run / f"{kind}-{ranks}.{suffix}" for kind in ("forecast", "truth"))
        options = ("--init", INIT, "--steps", STEPS, "--out", out, "--truth", truth)
        result = graticule("forecast", run / "run", *options, ranks=ranks)
        assert result.returncode == 0, result.stderr
        for name in model["targets"]:
            told, fill = written(out, name)
            ours = expected[:, model["variables"].index(name)]
            assert np.isnan(fill) and torch.equal(told.isnan(), ours.isnan()), (ranks, name)
            error = (told - ours).abs().nan_to_num(0).max() / statistics["variables"][name]["deviation"]
            assert error < 5e-5, (ranks, name, error)
        told, fill = written(out, "sea_surface_temperature")
        assert told.isnan().sum() == STEPS * 16  # land, and what is missing at INIT alone
        told, fill = written(truth, "sea_surface_temperature")
        assert np.isnan(fill) and told.isnan().sum() == STEPS * 15


def test_what_has_no_score_is_said(folder, tmp_path):
    """All of a variable is missing: at one date, in all that is scored, and where the climatology is made."""
    data = xarray.load_dataset(folder / "data.nc")
    data["sst"].loc[{"time": slice("2001-02-12", "2001-02-12")}] = np.nan
    data["msl"].loc[{"time": slice("2001-02-07", "2001-02-18")}] = np.nan
    data.to_netcdf(tmp_path / "data.nc")
    run = train_on(folder) / "run"
    options = ("--set", f"data.path={tmp_path}/data.nc", "--by-date", "--out", tmp_path / "scores.json")
    result = graticule("eval", run, *options, ranks=2)
    assert result.returncode == 0, result.stderr
    scores = json.loads((tmp_path / "scores.json").read_text())
    gap = "mean_sea_level_pressure at 24 h has no score of model, persistence, climatology: the data have no value"
    assert len(scores["gaps"]) == 1 and scores["gaps"][0].startswith(gap) and gap in result.stderr
    assert "(not the best)" not in next(line for line in result.stdout.splitlines() if "mean_sea_level" in line)
    for line in scores["scores"]:
        if line["variable"] == "mean_sea_level_pressure":
            assert line["rmse"] is None and set(line["mse"]) == {None}
            continue
        assert line["rmse"] > 0
        nothing = [date[:10] for date, mse in zip(scores["dates"], line["mse"], strict=True) if mse is None]
        lacking = {"2001-02-11"} if line["forecast"] == "climatology" else {"2001-02-11", "2001-02-12"}
        assert set(nothing) == lacking, line["forecast"]


def train_on(folder):
    """The run of the first test, or one of its own where that was not asked for."""
    run = folder / "difference-full"
    return run if run.exists() else train(folder, "difference", "full")


def test_a_model_that_diverged_is_no_missing_value(folder, tmp_path):
    run = train_on(folder)
    data = xarray.load_dataset(folder / "data.nc")
    # So large that a step overflows fp32.
    data["msl"].loc[{"time": f"{INIT}T00"}] = 3e38
    data.to_netcdf(tmp_path / "data.nc")
    options = ("--set", f"data.path={tmp_path}/data.nc")
    for ranks in (1, 2):
        out = tmp_path / "forecast.nc"
        result = graticule("forecast", run / "run", "--init", INIT, "--out", out, *options, ranks=ranks)
        assert result.returncode == 1, result.stderr
        words = f"24 h after {INIT}T00:00:00 is not finite"
        assert words in result.stderr and result.stderr.count("graticule: [forecast]") == 1, result.stderr
        assert not out.exists()


def test_infinite_values_are_named(folder, tmp_path):
    run = train_on(folder)
    data = xarray.load_dataset(folder / "data.nc")
    data["msl"].loc[{"time": "2001-02-11T06"}][3, 4:6] = [np.inf, -np.inf]
    data.to_netcdf(tmp_path / "data.nc")
    result = graticule("eval", run / "run", "--set", f"data.path={tmp_path}/data.nc")
    assert result.returncode == 2, result.stderr
    words = "mean_sea_level_pressure at 2001-02-11T06:00:00 has 2 infinite values of 96"
    assert words in result.stderr and "write NaN in their place" in result.stderr, result.stderr


def test_a_forecast_opened_as_data_tells_what_is_missing(folder, tmp_path):
    out = tmp_path / "forecast.nc"
    graticule("forecast", train_on(folder) / "run", "--init", INIT, "--out", out, check=True)
    result = graticule("data", "info", out)
    assert result.returncode == 0, result.stderr
    line = next(line for line in result.stdout.splitlines() if line.startswith("  sea_surface_temperature"))
    assert "(16 missing)" in line, result.stdout
