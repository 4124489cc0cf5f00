"""Tests the tasks that look at one state ([task] kind): train, eval and predict on one and two ranks, and the exported
model in plain PyTorch."""

import csv
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
{data}
train = ["0-3"]
valid = ["4"]
test = ["5-7"]
batch = 2
[task]
kind = "{kind}"
{task}
[model]
patch = {patch}
tokens = "{tokens}"
dim = 48
depth = 2
heads = 4
[train]
steps = 6
lr = 3e-3
warmup = 2
seed = 3
threads = 1
[run]
out = "{out}"
eval_every = 3
eval_samples = 1
"""
PLANE = 'dimensions = ["sample", "channel", "row", "column"]\nperiodic = ["columns"]'
VOLUME = 'dimensions = ["sample", "layer", "row", "column"]'
SMALL = "decoder_dim = 24\ndecoder_heads = 2"


def blobs(shape, seed=0):
    """Images of smooth blobs."""
    rng = np.random.default_rng(seed)
    where = np.indices(shape[2:]).astype("f4")
    images = np.zeros(shape, "f4")
    for image in images.reshape(-1, *shape[2:]):
        for _ in range(3):
            centre = rng.uniform(0, shape[2:]).reshape(-1, *[1] * (len(shape) - 2))
            image += rng.uniform(1, 3) * np.exp(-((where - centre) ** 2).sum(0) / 8)
    return images


def write(folder, kind, task="", grid="plane", tokens="channels", patch=3, crop=""):
    folder.mkdir(exist_ok=True)
    shape = (8, 2, 10, 14) if grid == "plane" else (8, 1, 4, 9, 8)
    images = blobs(shape)
    path = folder / "image.npy"
    np.save(path, images if grid == "plane" else images[:, 0])
    labels = np.digitize(images[:, 0], [0.7, 1.5])
    if kind == "segment":
        (folder / "labels").mkdir(exist_ok=True)
        np.save(folder / "labels.npy", labels.astype("u1")[:, None] if grid == "plane" else labels.astype("u1"))
        path, task = f"{path},{folder / 'labels.npy'}", 'labels = "labels"\nclasses = 3'
        task = task.replace('"labels"', '"labels_0"') if grid == "plane" else task
    if kind in ("classify", "regress"):
        means = images.reshape(8, -1).mean(1)
        values = [int(mean > np.median(means)) for mean in means] if kind == "classify" else means * 10 + 5
        (folder / "values.csv").write_text("sample,value\n" + "".join(f"{i},{v}\n" for i, v in enumerate(values)))
        task = f'labels = "{folder / "values.csv"}"'
    values = {
        "path": path,
        "grid": grid,
        "data": (PLANE if grid == "plane" else VOLUME) + "\n" + crop,
        "kind": kind,
        "task": task,
    }
    values |= {"patch": patch, "tokens": tokens, "out": folder / "run"}
    recipe = folder / "recipe.toml"
    recipe.write_text(RECIPE.format(**values))
    return recipe


def losses(run):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


def scores(run):
    rows = json.loads((run / "scores.json").read_text())["scores"]
    return {(row["of"], row["measure"], row["forecast"]): row["value"] or 0 for row in rows}  # null: not defined


def predictions(run):
    if (run / "predictions.csv").exists():
        with (run / "predictions.csv").open() as file:
            return np.array([[float(x) for x in row] for row in list(csv.reader(file))[1:]])
    with xr.open_zarr(run / "predictions.zarr") as data:
        return np.stack([data[name].values for name in sorted(data.data_vars)])


CASES = [
    ("segment", {}),
    ("segment", {"grid": "volume", "tokens": "full", "patch": "[2, 3, 3]"}),
    ("reconstruct", {"task": SMALL}),
    ("reconstruct", {"task": SMALL + '\nmask = "variable"\nmasked = 0.5', "tokens": "full"}),
    ("reconstruct", {"task": SMALL + '\nmask = "block"\nmask_block = 2', "grid": "volume", "patch": "[2, 3, 3]"}),
    ("downscale", {"tokens": "full"}),
    ("downscale", {"tokens": "aggregated", "grid": "volume", "patch": 2, "crop": "crop = [4, 8, 8]"}),
    ("classify", {}),
    ("regress", {"tokens": "full"}),
]


@pytest.mark.parametrize(("kind", "case"), CASES, ids=[f"{kind}-{i}" for i, (kind, _) in enumerate(CASES)])
def test_two_ranks_train_score_and_predict_as_one_and_as_plain_pytorch(kind, case, tmp_path):
    for ranks in (1, 2):
        recipe = write(tmp_path / str(ranks), kind, **case)
        layout = ["--set", "parallel.context=2"] if ranks == 2 else []
        result = graticule("train", recipe, *layout, ranks=ranks)
        assert result.returncode == 0, result.stderr
        run = tmp_path / str(ranks) / "run"
        result = graticule("eval", run, ranks=ranks)
        assert result.returncode == 0, result.stderr
        result = graticule("predict", run, ranks=ranks)
        assert result.returncode == 0, result.stderr
    result = graticule("predict", run, "--most", "-1")
    assert result.returncode == 2 and "--most -1: at least 0" in result.stderr
    one, two = tmp_path / "1" / "run", tmp_path / "2" / "run"
    assert losses(two) == pytest.approx(losses(one), rel=1e-5)
    assert scores(two) == pytest.approx(scores(one), rel=1e-4)
    np.testing.assert_allclose(predictions(two), predictions(one), rtol=1e-4, atol=1e-5)
    assert min(losses(one)) < losses(one)[0]
    graticule("export", one, tmp_path / "w.safetensors", check=True)
    compare_with_plain_pytorch(kind, case, tmp_path / "1", exported.read(tmp_path / "w.safetensors"))


def compare_with_plain_pytorch(kind, case, folder, file):
    weights, model, statistics = file
    image = np.load(folder / "image.npy")[5]
    image = torch.tensor(image if case.get("grid") != "volume" else image[None])
    fields = exported.normalise(image, model, statistics)
    told = predictions(folder / "run")
    deviation = exported.by_variable(model, lambda v: statistics["variables"][v]["deviation"])
    mean = exported.by_variable(model, lambda v: statistics["variables"][v]["mean"])
    if kind == "segment":
        np.testing.assert_array_equal(told[0, 0], exported.segment(weights, model, fields).argmax(0))
    elif kind == "reconstruct":
        hidden = torch.tensor(told[1::2, 0].astype(bool))
        patches = exported.patches(model, hidden.float())
        of_token = patches.amax(2).flatten() if model["tokens"] == "full" else patches.amax((0, 2))
        visible = (of_token == 0).nonzero()[:, 0]
        assert len(visible) == model["visible_tokens"]
        got = exported.run_masked(weights, model, fields, visible) * deviation + mean
        expected = torch.where(hidden, got, image)
        np.testing.assert_allclose(told[0::2, 0], expected, rtol=1e-5, atol=1e-5)
    elif kind == "downscale":
        pool = torch.nn.functional.avg_pool3d if case.get("grid") == "volume" else torch.nn.functional.avg_pool2d
        fields = fields[:, :, :8] if case.get("grid") == "volume" else fields
        coarse = pool(fields[None], 2)[0]
        got = exported.downscale(weights, model, coarse) * deviation + mean
        np.testing.assert_allclose(told[:, 0], got, rtol=1e-5, atol=1e-5)
    elif kind == "classify":
        p = exported.pool(weights, model, fields).softmax(0)
        np.testing.assert_allclose(told[0, 2:], p, rtol=1e-4, atol=1e-5)
    else:
        of = statistics["variables"]["task.labels"]
        value = exported.pool(weights, model, fields) * of["deviation"] + of["mean"]
        np.testing.assert_allclose(told[0, 1:], value, rtol=1e-4, atol=1e-5)


def test_the_encoder_of_reconstruct_starts_another_task(tmp_path):
    first = write(tmp_path / "first", "reconstruct", SMALL)
    graticule("train", first, check=True)
    second = write(tmp_path / "second", "segment")
    keep = ("--set", "train.lr=1e-30", "--set", "run.keep=9")
    result = graticule("train", second, "--start-from", tmp_path / "first" / "run", *keep)
    assert result.returncode == 0, result.stderr
    assert "its task is reconstruct, so the head is not taken" in result.stdout
    read = {"first": weights_of(tmp_path / "first" / "run"), "second": weights_of(tmp_path / "second" / "run")}
    for name, weight in read["second"].items():
        if not name.startswith("head."):
            torch.testing.assert_close(weight, read["first"][name], msg=name)

    # Its export is as good: the same bits, from the first step on.
    file = tmp_path / "first" / "run" / "w.safetensors"
    third = write(tmp_path / "third", "segment")
    result = graticule("train", third, "--start-from", file, *keep, ranks=2)
    assert result.returncode == 0, result.stderr
    assert "its task is reconstruct, so the head is not taken" in result.stdout
    of_run, of_file = (weights_of(tmp_path / name / "run/checkpoints/step-0") for name in ("second", "third"))
    assert of_run.keys() == of_file.keys() and all(torch.equal(of_run[name], of_file[name]) for name in of_run)
    for change, words in (
        ("model.dim=64", ["its tokenizer.lead.bias is [48], the recipe's is [64]", "its blocks.1.norm1.bias is [48]"]),
        ("model.depth=3", ["its model.depth is 2, the recipe's is 3"]),
        ("model.heads=2", ["its model.heads is 4, the recipe's is 2"]),
    ):
        out = ("--set", f"run.out={tmp_path / 'refused'}")
        result = graticule("train", third, "--start-from", file, "--set", change, *out)
        assert result.returncode == 2, result.stdout
        assert all(word in result.stderr for word in words) and "decoder." not in result.stderr, result.stderr

    # The same task takes the decoder too.
    fourth = write(tmp_path / "fourth", "reconstruct", SMALL)
    graticule("train", fourth, "--start-from", file, "--set", "run.keep=9", check=True)
    again = weights_of(tmp_path / "fourth" / "run/checkpoints/step-0")
    assert again.keys() == read["first"].keys() and all(torch.equal(again[name], read["first"][name]) for name in again)


def weights_of(trained):
    """Its weights, exported to a file beside it."""
    graticule("export", trained, trained / "w.safetensors", check=True)
    return exported.read(trained / "w.safetensors")[0]


def test_check_and_plan_know_each_task(tmp_path):
    for kind in ("segment", "reconstruct", "downscale", "classify"):
        recipe = write(tmp_path / kind, kind, SMALL if kind == "reconstruct" else "")
        result = graticule("check", recipe, "--set", "parallel.context=2", "--json", ranks=2)
        assert result.returncode == 0, result.stderr
        assert json.loads(result.stdout)["equal"]


@pytest.mark.parametrize(
    ("kind", "changes", "words"),
    [
        ("segment", ["task.classes=2"], ["labels.npy", "has the label 2, but task.classes = 2"]),
        ("segment", ["task.labels=nuclei"], ["nuclei", "labels_0"]),
        ("segment", ["model.tokens=full"], ["gives one output a place", '"channels" or "aggregated"']),
        ("segment", ["data.lead_hours=1"], ["data.lead_hours = 1", "has no lead"]),
        ("reconstruct", ["task.masked=1.0"], ["task.masked = 1 of 20 tokens leaves none visible"]),
        ("reconstruct", ["task.masked=0.01"], ["hides none"]),
        ("reconstruct", ["task.mask=variable"], ["needs tokens of one variable"]),
        ("reconstruct", ["task.decoder_heads=5"], ["task.decoder_heads", "leaves a fraction"]),
        ("downscale", ["task.factor=3"], ["task.factor = 3 does not divide the grid of 10 x 14", "data.crop"]),
        ("classify", ["task.labels=nowhere.csv"], ["nowhere.csv", "cannot be read"]),
        ("classify", ["task.labels="], ["task.labels is missing"]),
    ],
)
def test_bad_settings_are_told_in_a_line(kind, changes, words, tmp_path):
    recipe = write(tmp_path / "bad", kind)
    result = graticule("train", recipe, *[part for change in changes for part in ("--set", change)])
    assert result.returncode == 2, result.stdout + result.stderr
    assert all(word in result.stderr for word in words), result.stderr
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr


def test_reconstruct_has_no_pipeline(tmp_path):
    result = graticule("train", write(tmp_path / "run", "reconstruct"), "--set", "parallel.pipeline=2", ranks=2)
    assert result.returncode == 2
    assert 'pipeline = 2 with task.kind = "reconstruct"' in result.stderr, result.stderr


def test_labels_of_samples_are_looked_up_by_name_and_all_needed(tmp_path):
    recipe = write(tmp_path / "run", "classify")
    table = tmp_path / "run" / "values.csv"
    table.write_text("0-6,1\n")
    result = graticule("train", recipe)
    assert result.returncode == 0, result.stderr  # of training and validation
    result = graticule("eval", tmp_path / "run" / "run")
    assert result.returncode == 2 and "has no value of sample 7" in result.stderr, result.stderr
    for line, words in (("0-6,2", "has the label 2, but task.classes = 2"), ("0-6,cat", "line 1: '0-6,cat'")):
        table.write_text("0-7,1\n" + line + "\n" if "cat" in line else line + "\n7,1\n")
        result = graticule("train", recipe, "--set", f"run.out={tmp_path / 'other'}")
        assert result.returncode == 2 and words.replace("line 1", "line 2") in result.stderr, result.stderr
