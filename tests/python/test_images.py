"""Tests planes and volumes through the program: train, resume on other ranks, eval, forecast, check, plan, export."""

import json

import numpy as np
import pytest
import xarray as xr

from command import graticule

exported = pytest.importorskip("graticule.exported")
torch = pytest.importorskip("torch")

RECIPE = """
[data]
path = "{path}"
grid = "{grid}"
dimensions = {dimensions}
periodic = {periodic}
lead_hours = 1
{samples}
batch = 2
[model]
patch = {patch}
tokens = "{tokens}"
dim = 48
depth = 2
heads = 4
{model}
[train]
steps = 4
lr = 1e-3
seed = 3
threads = 1
[run]
out = "{out}"
eval_every = 4
eval_samples = 2
"""

PLANE = {
    "grid": "plane",
    "shape": (5, 6, 11, 14, 2),
    "dimensions": ["sample", "step", "row", "column", "channel"],
    "periodic": ["columns"],
    "patch": 4,
}
VOLUME = {
    "grid": "volume",
    "shape": (5, 6, 5, 9, 8),
    "dimensions": ["sample", "step", "layer", "row", "column"],
    "periodic": ["layers", "rows"],
    "patch": [2, 4, 3],
}


def waves(shape):
    """Trajectories of waves that move along the last axis but the channels: there is something to learn."""
    where = np.indices(shape)
    phases = 0.7 * where[0] + 0.5 * where[1] + 0.4 * where[2] + 0.9 * where[3] + 0.3 * where[-1]
    return np.sin(phases).astype("f4") * 3 + 7


def write(folder, case, tokens="full", samples='train = ["0-2"]\nvalid = ["3"]\ntest = ["4"]', model="", **more):
    folder.mkdir(exist_ok=True)
    np.save(folder / "box.npy", waves(case["shape"]))
    values = {**case, "path": folder / "box.npy", "out": folder / "run", "tokens": tokens, "samples": samples}
    values = {**values, "model": model, **more}
    recipe = folder / "recipe.toml"
    recipe.write_text(RECIPE.format(**{k: json.dumps(v) if isinstance(v, list) else v for k, v in values.items()}))
    return recipe


def losses(run):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


@pytest.mark.parametrize(("case", "tokens"), [(PLANE, "full"), (PLANE, "channels"), (VOLUME, "aggregated")])
def test_two_ranks_train_score_and_forecast_as_one(case, tokens, tmp_path):
    runs = {}
    for ranks in (1, 2):
        recipe = write(tmp_path / str(ranks), case, tokens)
        result = graticule("train", recipe, ranks=ranks)
        assert result.returncode == 0, result.stderr
        run = tmp_path / str(ranks) / "run"
        graticule("eval", run, "--steps", 2, ranks=ranks, check=True)
        graticule("forecast", run, "--init", "4:1", "--steps", 3, "--truth", run / "truth.nc", ranks=ranks, check=True)
        runs[ranks] = run
    assert losses(runs[2]) == pytest.approx(losses(runs[1]), rel=1e-5)
    rmse = {}
    for ranks, run in runs.items():
        scores = json.loads((run / "scores.json").read_text())
        rmse[ranks] = [row["rmse"] for row in scores["scores"]]
    assert rmse[2] == pytest.approx(rmse[1], rel=1e-4)
    with xr.open_dataset(runs[1] / "forecast.nc") as one, xr.open_dataset(runs[2] / "forecast.nc") as two:
        xr.testing.assert_allclose(one, two, rtol=1e-4)
        assert one.sizes["step"] == 3 and one["sample"].values.tolist() == [4]
        name = next(iter(one.data_vars))
        with xr.open_dataset(runs[1] / "truth.nc") as truth:
            values = waves(case["shape"])[4, 2:5]
            values = values if name == "box" else values[..., int(name[-1])]
            np.testing.assert_array_equal(truth[name].values[0], values)


def test_a_checkpoint_goes_on_with_other_ranks(tmp_path):
    course = ("--set", "train.min_lr=1e-3")  # the same rate whatever the number of steps
    whole, parts = write(tmp_path / "whole", VOLUME), write(tmp_path / "parts", VOLUME)
    graticule("train", whole, *course, check=True)
    graticule("train", parts, *course, "--set", "train.steps=2", ranks=2, check=True)
    graticule("train", parts, *course, "--resume", "auto", check=True)
    assert losses(tmp_path / "parts" / "run") == pytest.approx(losses(tmp_path / "whole" / "run"), rel=1e-5)


def test_plan_and_check_know_each_grid(tmp_path):
    for case, tokens in ((PLANE, 2 * 3 * 4), (VOLUME, 3 * 3 * 3)):
        recipe = write(tmp_path / case["grid"], case)
        result = graticule("check", recipe, "--json", ranks=2)
        assert result.returncode == 0, result.stderr
        assert json.loads(result.stdout)["equal"]
        result = graticule("plan", recipe, "--ranks", 2, "--dry-run", 1)
        assert result.returncode == 0, result.stderr
        result = graticule("train", recipe)
        assert f"{tokens} tokens a sample" in result.stdout, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("case", "tokens", "model"),
    [
        (PLANE, "full", 'place = "rotary"'),
        (PLANE, "aggregated", ""),
        (VOLUME, "full", ""),
        (VOLUME, "channels", 'place = "added"\nqk_variables = false'),
        (VOLUME, "full", 'place = "rotary"'),
    ],
)
def test_plain_pytorch_gives_the_same_forecast(case, tokens, model, tmp_path):
    recipe, run = write(tmp_path, case, tokens, model=model), tmp_path / "run"
    graticule("train", recipe, check=True)
    graticule("export", run, tmp_path / "w.safetensors", check=True)
    graticule("forecast", run, "--init", "4:1", check=True)
    weights, sizes, statistics = exported.read(tmp_path / "w.safetensors")
    field = waves(case["shape"])[4, 1]
    field = np.moveaxis(field, -1, 0) if "channel" in case["dimensions"] else field[None]
    ours = exported.roll_out(weights, sizes, statistics, torch.from_numpy(field.copy()), 1, 1)[0]
    with xr.open_dataset(run / "forecast.nc") as forecast:
        for i, name in enumerate(sizes["variables"]):
            theirs = forecast[name].values[0, 0]
            error = np.abs(ours[i].numpy() - theirs).max() / statistics["variables"][name]["deviation"]
            assert error < 2e-5, f"{name}: {error}"


def test_samples_are_split_and_cropped(tmp_path):
    parts = "crop = [8, 9]\n[data.split]\nvalid = 0.2\ntest = 0.2\nseed = 4"
    runs = {}
    for ranks in (1, 2):
        recipe = write(tmp_path / str(ranks), PLANE, samples="", periodic=["rows"])
        text = recipe.read_text().replace("batch = 2", f"batch = 2\n{parts}")
        recipe.write_text(text)
        result = graticule("train", recipe, ranks=ranks)
        assert result.returncode == 0, result.stderr
        assert "24 x 9" not in result.stdout and (ranks == 2 or "8 x 9 grid" in result.stdout)
        runs[ranks] = losses(tmp_path / str(ranks) / "run")
    assert runs[2] == pytest.approx(runs[1], rel=1e-5)
    graticule("eval", tmp_path / "1" / "run", check=True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"samples": 'train = ["0-3"]\ntest = ["3"]'}, "share sample 3"),
        ({"samples": 'train = ["0-7"]'}, "5 samples, 0 to 4"),
        ({"samples": ""}, "set data.split.valid"),
        ({"patch": 12}, "patch = 12 on a grid of 11 x 14: choose at most 11"),
        ({"periodic": ["layers"]}, 'data.periodic names layers: choose among "rows", "columns"'),
        ({"dimensions": ["sample", "row", "column"]}, "data.dimensions names 3"),
        ({"model": "calendar = true"}, "have no dates"),
        ({"grid": "volume"}, "data.dimensions has no layer"),
        ({"grid": "sphere"}, 'set data.grid = "plane"'),
    ],
)
def test_what_does_not_fit_is_refused(change, words, tmp_path):
    result = graticule("train", write(tmp_path, PLANE, **change))
    assert result.returncode == 2, result.stdout
    assert words in result.stderr, result.stderr


def test_a_lead_longer_than_the_trajectories_is_refused(tmp_path):
    result = graticule("train", write(tmp_path, PLANE), "--set", "data.lead_hours=6")
    assert result.returncode == 2, result.stdout
    assert "no time there has data 6 steps later too" in result.stderr, result.stderr


def test_another_size_of_images_is_told_and_not_trained_on(tmp_path):
    recipe = write(tmp_path, PLANE)
    graticule("train", recipe, check=True)
    other = tmp_path / "other"
    other.mkdir()
    np.save(other / "box.npy", waves((5, 6, 11, 15, 2)))
    path = ("--set", f"data.path={other / 'box.npy'}")
    result = graticule("eval", tmp_path / "run", *path)
    assert result.returncode == 0
    assert "was trained on images of 11 x 14 pixels and runs on 11 x 15" in result.stderr, result.stderr
    result = graticule("train", recipe, *path, "--resume", "auto", "--set", "train.steps=5")
    assert result.returncode == 2
    assert "was trained on images of 11 x 14 pixels" in result.stderr, result.stderr
