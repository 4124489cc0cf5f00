"""Tests that a run ends when its validation score stops improving, keeps the best checkpoint, and counts on."""

import json
import os

import pytest

from command import graticule, write_recipe

VALID = 'batch = 2\nvalid = ["2001-02-07", "2001-02-18"]'


def recipe_of(folder, steps, patience, eval_every=1):
    run = f"eval_every = {eval_every}\neval_samples = 2\nkeep = 1\n"
    # A rate so large that the score gets worse after a few steps, and the same whatever the number of steps.
    course = f"warmup = 2\nlr = 0.02\nmin_lr = 0.02\npatience = {patience}"
    replace = [("batch = 2", VALID), ("[run]", f"[run]\n{run}"), ("warmup = 2", course)]
    return write_recipe(folder, steps=steps, replace=replace)


def train(recipe, *arguments, ranks=1):
    result = graticule("train", recipe, *arguments, ranks=ranks)
    assert result.returncode == 0, result.stderr
    return result.stdout


def scores(run):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return {line["step"]: line["score"] for line in lines if line.get("kind") == "validation"}


def expected_end(scored, patience):
    """The step at which a run with these scores ends, and its best step."""
    best, since = None, 0
    for step, score in scored.items():
        if best is None or score < scored[best]:
            best, since = step, 0
        else:
            since += 1
        if since == patience:
            return step, best
    return None, best


@pytest.mark.parametrize("ranks", [1, 2])
def test_the_run_ends_and_keeps_the_best(ranks, tmp_path):
    run = tmp_path / "run"
    said = train(recipe_of(tmp_path, 40, patience=3), ranks=ranks)
    end, best = expected_end(scores(run), 3)
    assert end is not None and end < 40 and best != end, scores(run)
    assert f"ended after step {end}: 3 evaluations without a better score than that of step {best}" in said
    assert {path.name for path in (run / "checkpoints").iterdir()} == {f"step-{best}", f"step-{end}", "best"}
    assert os.readlink(run / "checkpoints" / "best") == f"step-{best}"
    result = graticule("eval", run / "checkpoints" / "best", "--samples", 2, "--json", check=True)
    assert json.loads(result.stdout)["checkpoint"].endswith(f"checkpoints/step-{best}")
    assert (run / "scores.json").exists()

    # Nothing more to train, unless the patience is raised; then it goes on from the end.
    assert f"ended after step {end}" in train(tmp_path / "recipe.toml", "--resume", "auto", ranks=ranks)
    assert max(scores(run)) == end
    train(tmp_path / "recipe.toml", "--resume", "auto", "--set", "train.patience=4", ranks=ranks)
    assert expected_end(scores(run), 4)[0] == max(scores(run)) or max(scores(run)) == 40


def test_a_resumed_run_ends_where_the_uninterrupted_one_does(tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir(), parts.mkdir()
    train(recipe_of(whole, 40, patience=3))
    end, best = expected_end(scores(whole / "run"), 3)
    recipe = recipe_of(parts, 40, patience=3)
    for stop in (best + 1, end - 1, 40):  # within the count, twice
        train(recipe, "--resume", "auto", "--set", f"train.steps={stop}")
    assert scores(parts / "run") == scores(whole / "run")
    assert os.readlink(parts / "run" / "checkpoints" / "best") == f"step-{best}"


def test_going_back_to_the_best_starts_a_branch_from_it(tmp_path):
    run = tmp_path / "run"
    recipe = recipe_of(tmp_path, 40, patience=3)
    train(recipe)
    end, best = expected_end(scores(run), 3)
    train(recipe, "--resume", run / "checkpoints" / "best", "--set", f"train.steps={best + 1}")
    manifest = json.loads((run / "checkpoints" / f"step-{best + 1}" / "manifest.json").read_text())
    assert manifest["parent"] == f"step-{best}"
    assert (run / "checkpoints" / "left-1" / f"step-{end}").exists()
    assert (run / "checkpoints" / "best" / "manifest.json").exists()


def test_patience_without_evaluations_is_refused(tmp_path):
    refused = graticule("train", recipe_of(tmp_path, 4, patience=3, eval_every=0))
    assert refused.returncode == 2
    assert "train.patience = 3 counts evaluations: set run.eval_every too" in refused.stderr
