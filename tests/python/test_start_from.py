"""Tests `train --start-from`: the weights of another run, and nothing else of it."""

import json

import pytest

from command import graticule, write_recipe


def manifest(run, step):
    return json.loads((run / "checkpoints" / f"step-{step}" / "manifest.json").read_text())


def losses(run):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return {line["step"]: line["loss"] for line in lines if "loss" in line}


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    folder = tmp_path_factory.mktemp("other")
    recipe = write_recipe(folder, steps=5, replace=[("warmup = 2", "warmup = 2\nema = 0.5")])
    graticule("train", recipe, check=True)
    return folder / "run"


def test_it_starts_with_the_average_at_step_0_and_a_resume_does_not_start_again(other, tmp_path):
    # Other leads and another layout; the shapes of the weights agree. lr = 0: the weights stay.
    replace = [("lead_hours = 24", "lead_hours = 48"), ("warmup = 2", "warmup = 2\nlr = 1e-30")]
    recipe, run = write_recipe(tmp_path, steps=2, replace=replace), tmp_path / "run"
    command = ("train", recipe, "--start-from", other, "--resume", "auto", "--set", "run.keep=9")
    started = graticule(*command, ranks=2)
    assert started.returncode == 0, started.stderr
    source = other / "checkpoints" / "step-5"
    assert f"starts with the average of the weights of {source}" in started.stdout
    assert "data.lead_hours [24] -> [48]" in started.stdout
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["step-0", "step-2"]
    assert manifest(run, 0)["parent"] is None and manifest(run, 2)["parent"] == "step-0"
    assert manifest(run, 2)["started_from"] == str(source)
    assert sorted(losses(run)) == [1, 2]
    torch, exported = pytest.importorskip("torch"), pytest.importorskip("graticule.exported")
    weights = []
    for trained in (other, run / "checkpoints" / "step-0"):
        graticule("export", trained, tmp_path / "w.safetensors", check=True)
        weights.append(exported.read(tmp_path / "w.safetensors")[0])
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])

    # The same command goes on, as a job that a batch system starts again.
    again = graticule(*command, "--set", "train.steps=3", ranks=2)
    assert again.returncode == 0, again.stderr
    assert "starts with" not in again.stdout and "--start-from is not used" in again.stdout
    assert sorted(losses(run)) == [1, 2, 3]
    assert manifest(run, 3)["started_from"] == str(source)


def test_shapes_that_differ_are_all_named(other, tmp_path):
    recipe = write_recipe(tmp_path, replace=[("dim = 32", "dim = 48"), ("depth = 2", "depth = 3")])
    refused = graticule("train", recipe, "--start-from", other)
    assert refused.returncode == 2
    for words in (
        "its tokenizer.lead.bias is [32], the recipe's is [48]",
        "its head.out.weight is [",
        "it has no blocks.2.mlp.fc2.bias",
        "it has 4 blocks, tokenizer and head among them, the recipe's has 5",
    ):
        assert words in refused.stderr, refused.stderr
    assert not (tmp_path / "run" / "checkpoints").exists()
    missing = graticule("train", recipe, "--start-from", tmp_path / "nowhere")
    assert missing.returncode == 2 and "is no folder" in missing.stderr
