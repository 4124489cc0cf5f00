"""Tests `data.history` and `train.rollout` through the program: layouts, a resume, what is refused and said."""

import json

import numpy as np
import pytest

from command import graticule, write_recipe

PATH = '"synthetic:rows=8,columns=12,variables=6,times=200"'


def losses(run):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return np.array([line["loss"] for line in lines if "loss" in line])


def train(folder, *arguments, steps=4, keys="", ranks=1, check=True):
    folder.mkdir(exist_ok=True)
    replace = [("batch = 2", "batch = 2\nhistory = 2"), ("warmup = 2", f"warmup = 2\nrollout = 3\n{keys}")]
    result = graticule("train", write_recipe(folder, steps=steps, replace=replace), *arguments, ranks=ranks)
    assert not check or result.returncode == 0, result.stderr
    return result


def test_layouts_and_a_resume_make_the_same_run(tmp_path):
    train(tmp_path / "one")
    expected = losses(tmp_path / "one" / "run")
    assert len(expected) == 4
    train(tmp_path / "two", keys='activations = "recompute"', ranks=2)
    assert losses(tmp_path / "two" / "run") == pytest.approx(expected, rel=1e-5)
    course = ("--set", "train.min_lr=1e-3")  # the same rate whatever the number of steps
    train(tmp_path / "whole", *course)
    train(tmp_path / "parts", *course, steps=2)
    train(tmp_path / "parts", *course, "--resume", "auto")
    assert losses(tmp_path / "parts" / "run").tolist() == losses(tmp_path / "whole" / "run").tolist()


def test_the_plan_knows_both(tmp_path):
    train(tmp_path)
    memory = {}
    for states, steps in ((1, 1), (4, 1), (1, 4)):
        keys = ("--set", f"data.history={states}", "--set", f"train.rollout={steps}")
        result = graticule("plan", tmp_path / "recipe.toml", "--ranks", 1, "--dry-run", 0, *keys, "--json")
        assert result.returncode == 0, result.stderr
        memory[states, steps] = json.loads(result.stdout)["accounts"]["data"]
    assert memory[1, 1] < memory[4, 1] < memory[1, 4]


def test_what_would_read_the_future_is_refused(tmp_path):
    names = '["2m_temperature", "geopotential@500"]'
    refused = train(tmp_path, "--set", f"data.targets={names}", check=False)
    assert refused.returncode == 2
    for words in (
        "train.rollout = 3 feeds forecasts back, but no forecast has",
        "mean_sea_level_pressure",
        "add them to data.targets, or leave them out of data.variables",
    ):
        assert words in refused.stderr, refused.stderr


def test_a_history_outside_the_data_is_refused(tmp_path):
    train(tmp_path, "--set", "train.rollout=1")
    run = tmp_path / "run"
    refused = graticule("forecast", run, "--init", "2001-01-01T12")
    assert refused.returncode == 2
    words = "the model reads 2 states, 24 h apart (data.history), but the data have nothing at 2000-12-31T12:00:00"
    assert words in refused.stderr, refused.stderr
    refused = graticule("eval", run, "--range", "2001-02-07", "2001-02-08")
    assert refused.returncode == 2 and "and every earlier state (data.history = 2)" in refused.stderr, refused.stderr
    refused = graticule("eval", run, "--set", "data.history=1")
    assert refused.returncode == 2 and "was trained with data.history = 2" in refused.stderr
    refused = train(tmp_path / "short", "--set", 'data.train=["2001-01-01", "2001-01-04"]', check=False)
    assert refused.returncode == 2
    assert "at all 3 steps of train.rollout, and every earlier state (data.history = 2)" in refused.stderr
