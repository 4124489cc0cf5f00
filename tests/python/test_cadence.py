"""Tests which steps of a run are evaluated and saved, and that a loss which is not finite ends the run."""

import json

import pytest

from command import graticule, write_recipe

VALID = 'batch = 2\nvalid = ["2001-02-07", "2001-02-18"]'


def recipe_of(folder, steps, **cadence):
    run = "".join(f"{key} = {value}\n" for key, value in cadence.items())
    return write_recipe(folder, steps=steps, replace=[("batch = 2", VALID), ("[run]", f"[run]\nkeep = 9\n{run}")])


def train(recipe, *arguments, ranks=2):
    result = graticule("train", recipe, *arguments, ranks=ranks)
    assert result.returncode == 0, result.stderr
    return result.stdout


def metrics(folder):
    return [json.loads(line) for line in (folder / "run" / "metrics.jsonl").read_text().splitlines()]


def trained(folder):
    return [line["step"] for line in metrics(folder) if "loss" in line]


def evaluated(folder):
    return sorted({line["step"] for line in metrics(folder) if line.get("kind") == "evaluation"})


def checkpoints(folder):
    return sorted(int(path.name.removeprefix("step-")) for path in (folder / "run" / "checkpoints").glob("step-*"))


@pytest.mark.parametrize("ranks", [1, 2])
def test_steps_that_are_evaluated_and_checkpointed(ranks, tmp_path):
    train(recipe_of(tmp_path, 7, eval_every=3, checkpoint_every=2, eval_samples=2), ranks=ranks)
    assert trained(tmp_path) == list(range(1, 8))
    assert evaluated(tmp_path) == [3, 6]
    assert checkpoints(tmp_path) == [2, 4, 6, 7]  # the last step is always kept
    # The steps count from the start of the run, not of the job.
    more = recipe_of(tmp_path, 12, eval_every=3, checkpoint_every=2, eval_samples=2)
    train(more, "--resume", "auto", ranks=ranks)
    assert trained(tmp_path) == list(range(1, 13))
    assert evaluated(tmp_path) == [3, 6, 9, 12]
    assert checkpoints(tmp_path) == [2, 4, 6, 7, 8, 10, 12]


def test_a_resumed_run_without_steps_to_make_evaluates_and_saves_nothing(tmp_path):
    recipe = recipe_of(tmp_path, 4, eval_every=2, checkpoint_every=2, eval_samples=2)
    train(recipe)
    before = metrics(tmp_path), checkpoints(tmp_path)
    assert "nothing to train" in train(recipe, "--resume", "auto")
    assert (metrics(tmp_path), checkpoints(tmp_path)) == before == (before[0], [2, 4])
    assert evaluated(tmp_path) == [2, 4]


def test_without_a_cadence_the_last_step_alone_is_checkpointed(tmp_path):
    train(recipe_of(tmp_path, 3, eval_every=0, checkpoint_every=0))
    assert evaluated(tmp_path) == [] and checkpoints(tmp_path) == [3]
    refused = graticule("train", write_recipe(tmp_path), "--set", "run.eval_every=2", "--resume", "auto", ranks=2)
    assert refused.returncode == 2
    assert "run.eval_every = 2 needs data.valid, [first, last]" in refused.stderr


def test_evaluation_changes_no_step(tmp_path):
    folders = {every: tmp_path / f"{every}" for every in (0, 1)}
    losses = []
    for every, folder in folders.items():
        folder.mkdir()
        train(recipe_of(folder, 4, eval_every=every, checkpoint_every=every, eval_samples=2))
        losses.append([line["loss"] for line in metrics(folder) if "loss" in line])
    assert losses[0] == losses[1]


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_loss_that_is_no_number_ends_the_run_and_loses_nothing(ranks, tmp_path):
    recipe = recipe_of(tmp_path, 4, checkpoint_every=2)
    train(recipe, ranks=ranks)
    before = metrics(tmp_path)
    wild = ["--set", "train.steps=20", "--set", "train.lr=1e30", "--set", "train.clip=0"]
    ended = graticule("train", recipe, "--resume", "auto", *wild, ranks=ranks)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert ended.stderr.count("graticule: [train] the loss is ") == 1, ended.stderr
    assert "nan" in ended.stderr or "inf" in ended.stderr
    for words in (" at step ", "lower train.lr or set train.clip", "--resume auto from the last checkpoint"):
        assert words in ended.stderr
    # Lines and checkpoints from before exist. The step that failed has neither a line nor weights.
    step = int(ended.stderr.split(" at step ")[1].split(":")[0])
    assert metrics(tmp_path)[: len(before)] == before
    assert trained(tmp_path) == list(range(1, step))
    assert set(checkpoints(tmp_path)) == {2, 4} | set(range(6, step, 2))
    assert not (tmp_path / "run" / "checkpoints" / f"step-{step}").exists()
    # The advice of the message works.
    checkpoint = tmp_path / "run" / "checkpoints" / "step-4"
    train(recipe, "--set", "train.steps=6", "--resume", checkpoint, ranks=ranks)
    assert trained(tmp_path) == list(range(1, 7)) and checkpoints(tmp_path)[-1] == 6
