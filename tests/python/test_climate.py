"""Tests tools/climate: a small experiment is stopped, goes on and ends in a page. Its intervals cover the truth."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from command import ENVIRONMENT, ROOT, graticule
from seed import seeded

pytest.importorskip("scipy")
sys.path.insert(0, str(ROOT / "tools/climate"))

RECIPE = """
[data]
path = ""
variables = ["temperature@500", "temperature@850", "geopotential@500", "u_component_of_wind@850",
             "v_component_of_wind@850", "2m_temperature", "land_sea_mask"]
targets = ["temperature@500", "temperature@850", "geopotential@500", "u_component_of_wind@850",
           "v_component_of_wind@850", "2m_temperature"]
lead_hours = [24, 6, 72]
[model]
patch = 4
"""
BUDGET = """
page = "{folder}/unused.md"

[data]
kind = "waves"
path = "{folder}/data.zarr"
train = ["2001-01-01", "2001-02-28"]
valid = ["2001-03-01", "2001-03-14"]
test = ["2001-03-16", "2001-04-04"]
[search]
lr = [1e-3, 4e-3]
samples = {samples}
dates = 2
[tried]
settings = ["train.weight_decay=0.1"]
samples = 4
[scores]
dates = 4
fields_from = "2001-03-16"
fields_until = "2001-03-30"
fields_every = 48
[regression]
stride = 1
penalties = [1e2, 1e4]
[[study]]
name = "small"
recipe = "{folder}/recipe.toml"
set = ["model.dim=16", "model.depth=1", "model.heads=2", "data.batch=2"]
samples = 8
seeds = [1, 2]
seeds_of = {{aggregated-wide = [1], aggregated-long = [1]}}
arms = ["full", "aggregated", "aggregated-wide", "aggregated-long"]
[[study]]
name = "finer"
title = "Finer patches"
recipe = "{folder}/recipe.toml"
set = ["model.patch=2", "model.dim=16", "model.depth=1", "model.heads=2", "data.batch=2"]
samples = 4
seeds = [1]
arms = ["full", "aggregated"]
[study.search]
lr = [2e-3]
[study.scores]
dates = 3
[[study]]
name = "fewer"
title = "Fewer samples"
rates_of = "small"
recipe = "{folder}/recipe.toml"
set = ["model.dim=16", "model.depth=1", "model.heads=2", "data.batch=2"]
samples = 4
seeds = [1]
arms = ["full", "aggregated"]
"""


@pytest.fixture
def folder(tmp_path):
    size = ("--rows", 8, "--columns", 16, "--variables", 23, "--times", 400)
    graticule("data", "synth", tmp_path / "data.zarr", *size, check=True)
    (tmp_path / "recipe.toml").write_text(RECIPE)
    (tmp_path / "tiny.toml").write_text(BUDGET.format(folder=tmp_path, samples=4))
    return tmp_path


def start(folder):
    command = [sys.executable, ROOT / "tools/climate/reproduce.py", "--budget", folder / "tiny.toml"]
    command += ["--out", folder / "runs", "--page", folder / "climate.md"]
    environment = ENVIRONMENT | {"PYTHONPATH": str(ROOT / "python")}
    return subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True, env=environment)


def test_a_stopped_experiment_goes_on_and_ends_in_a_page(folder):
    process = start(folder)
    for line in process.stderr:
        if "training small-" in line:
            break
    second = start(folder)
    assert second.wait(300) == 1 and "is in use" in second.stderr.read()
    process.send_signal(signal.SIGTERM)
    assert process.wait(300) == 1 and "goes on from here" in process.stderr.read()
    trained = {path: path.stat().st_mtime for path in folder.glob("runs/**/manifest.json")}

    process = start(folder)
    _, said = process.communicate(timeout=900)
    assert process.returncode == 0, said
    # A training that was running has continued to a later checkpoint. Those that had ended did not change.
    kept = {path: before for path, before in trained.items() if path.exists()}
    assert kept and all(path.stat().st_mtime == before for path, before in kept.items())
    page = (folder / "climate.md").read_text()
    assert page.count("Trained with the same samples, `full` is better than `aggregated` in ") == 1
    assert "\n\nThe table has" in page and "circulation" not in page.partition("## At the paper")[0]
    for arm in ("full", "aggregated", "aggregated-wide", "aggregated-long"):
        assert f"| `{arm}` |" in page
    assert page.count("| quantity (waves) |") == 7 and "### Finer patches" in page
    assert "### Fewer samples" in page and page.count("nothing was searched") == 1
    assert "| `aggregated`, equal samples | 4 | " in page and "| `aggregated`, equal samples | 8 | " in page
    assert page.count("| arm | as compared | train.weight_decay=0.1 |\n| --- | --- | --- |\n| `full` | ") == 1
    assert page.count("3 test dates, 1 seeds") == 1 and page.count("| arm | 0.002 |") == 1
    assert "| `aggregated-long`, equal FLOPs, by more samples | " in page and "{" not in page
    for picture in ("error_by_lead", "error_maps", "spectra", "loss", "attention"):
        assert f"pictures/climate/{picture}.png" in page
        assert (folder / f"pictures/climate/{picture}.png").stat().st_size > 10_000

    assert "| block | head | own place | west of it |" in page and "| arm | waves 1 to 3 |" in page

    (folder / "tiny.toml").write_text(BUDGET.format(folder=folder, samples=6))
    process = start(folder)
    assert process.wait(300) == 1 and "made with other settings" in process.stderr.read()


def test_a_failed_training_is_shown_once_with_its_error(folder):
    (folder / "recipe.toml").write_text(RECIPE.replace('"land_sea_mask"', '"no_such_variable"'))
    process = start(folder)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 1 and "Traceback" not in said
    assert said.count("no_such_variable") == 1, said


def test_unknown_budget_is_refused():
    command = [sys.executable, ROOT / "tools/climate/reproduce.py", "--budget", "weekend"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "python")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 2 and "choose era5, morning, night, small" in done.stderr


def test_a_budget_that_lacks_something_is_refused(folder):
    whole = BUDGET.format(folder=folder, samples=4)
    for text, said in (
        (whole.replace("dates = 2\n", ""), "lacks [search] dates:"),
        (whole.replace("seeds = [1]\n", ""), "lacks [[study]] 2 seeds, [[study]] 3 seeds:"),
        (whole.replace("[data]", "[date]"), "lacks data, [data] kind,"),
        (whole.replace("[data]", "[data"), "tiny.toml: "),
        (whole.replace("data.zarr", "nowhere.zarr"), "nowhere.zarr is not there: bring the data first"),
    ):
        (folder / "tiny.toml").write_text(text)
        process = start(folder)
        _, error = process.communicate(timeout=60)
        assert process.returncode == 1 and said in error and "Traceback" not in error, error


def test_a_study_may_gain_arms_and_seeds_but_not_change(tmp_path):
    import experiment
    import program

    def hold(samples, *arms):
        study = {"name": "s", "samples": samples, "arms": arms, "seeds": list(range(len(arms)))}
        budget = {"data": {}, "search": {}, "scores": {}, "regression": {}, "study": [study]}
        definitions = {"s": {arm: {"settings": ("model.patch=4",), "samples": samples} for arm in arms}}
        experiment.hold_settings(budget, definitions, str(tmp_path))

    hold(8, "full")
    hold(8, "full", "aggregated")
    hold(8, "full")
    hold(8, "channels")
    held = (tmp_path / "s.json").read_text()
    for arm in ("full", "aggregated", "channels"):
        assert f'"{arm}"' in held
    with pytest.raises(program.FailedError, match="other settings"):
        hold(9, "full")
    assert (tmp_path / "s.json").read_text() == held


def test_regression_among_times_is_ridge_regression():
    import xarray as xr

    import linear_regression

    generator = seeded(7)
    times = np.arange("2001-01-01", "2001-03-01", np.timedelta64(6, "h"), "datetime64[h]").astype("datetime64[ns]")
    axes = {"time": times, "latitude": [-60.0, 0, 60], "longitude": [0.0, 120, 240]}
    store = xr.Dataset({n: (tuple(axes), generator.normal(size=(len(times), 3, 3))) for n in "ab"}, axes)
    data = {"train": ["2001-01-01", "2001-01-31"], "valid": ["2001-02-01", "2001-02-10"]}
    settings = {"stride": 1, "penalties": [10.0]}
    predict, _ = linear_regression.fit_lead(store, ["a", "b"], ["b"], data, 24, settings)
    asked = times[-20:]

    train = linear_regression.times_with_valid(store, data["train"], 24)
    assert train[-1] == np.datetime64("2001-01-30T18") and len(train) == 120
    now, later = (store.sel(time=t) for t in (train, train + np.timedelta64(24, "h")))
    change = (later.b.values - now.b.values).reshape(120, -1)
    x = np.concatenate([now[n].values.reshape(120, -1) for n in "ab"], axis=1)
    x_asked = np.concatenate([store.sel(time=asked)[n].values.reshape(20, -1) for n in "ab"], axis=1)
    mean, deviation = x.mean(0), x.std(0)
    x, x_asked = (x - mean) / deviation, (x_asked - mean) / deviation
    offset, spread = change.mean(0), change.std(0)
    weights = np.linalg.solve(x.T @ x + 10 * np.eye(18), x.T @ ((change - offset) / spread))
    expected = store.sel(time=asked).b.values.reshape(20, -1) + (x_asked @ weights) * spread + offset
    assert np.allclose(predict(asked).reshape(20, -1), expected, atol=1e-4)


def test_intervals_cover_the_true_change():
    import analysis

    generator = seeded(20240601)
    key, covered, rounds = "x", 0, 200
    for _ in range(rounds):
        dates = generator.gamma(20, 1 / 20, 60)  # errors of a date are alike in both arms
        noise = generator.normal(1, 0.03, (2, 5, 1)) * generator.normal(1, 0.05, (2, 5, 60))
        ours, theirs = (analysis.Errors({key: mse}, {}) for mse in np.array([0.81, 1])[:, None, None] * dates * noise)
        mean, half = analysis.change(ours, theirs, key)
        covered += abs(mean + 0.1) < half
    assert 0.9 < covered / rounds <= 1, f"{covered} of {rounds}"
