"""Tests which commands use the average of the weights (train.ema), and how to ask for the weights themselves."""

import json

import pytest

from command import graticule, write_recipe

TIMES = '["2001-02-07", "2001-02-18"]'


def rmse(scores):
    return {line["variable"]: line["rmse"] for line in scores if line.get("forecast") == "model"}


@pytest.mark.parametrize("ranks", [1, 2])
def test_the_average_is_scored_and_exported_unless_raw_weights_are_asked_for(ranks, tmp_path):
    replace = [
        ("batch = 2", f"batch = 2\nvalid = {TIMES}"),
        ("warmup = 2", "warmup = 2\nlr = 0.01\nema = 0.9"),
        ("[run]", "[run]\neval_every = 6\neval_samples = 4"),
    ]
    trained = graticule("train", write_recipe(tmp_path, steps=6, replace=replace), ranks=ranks)
    assert trained.returncode == 0, trained.stderr
    run = tmp_path / "run"

    scored = {}
    for name, flags in (("average", ()), ("raw", ("--raw-weights",))):
        result = graticule("eval", run, "--samples", 4, "--json", *flags, ranks=ranks)
        assert result.returncode == 0, result.stderr
        scores = json.loads(result.stdout)
        assert scores["weights"] == name
        scored[name] = rmse(scores["scores"])
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert rmse(lines) == pytest.approx(scored["average"], rel=1e-6)
    assert all(abs(scored["raw"][name] / scored["average"][name] - 1) > 1e-5 for name in scored["raw"])

    torch, exported = pytest.importorskip("torch"), pytest.importorskip("graticule.exported")
    weights = {}
    for name, flags in (("average", ()), ("raw", ("--raw-weights",))):
        graticule("export", run, tmp_path / f"{name}.safetensors", *flags, check=True)
        weights[name], *_ = exported.read(tmp_path / f"{name}.safetensors")
    assert not any(torch.equal(weights["raw"][name], weights["average"][name]) for name in weights["raw"])

    forecasts = [tmp_path / "average.nc", tmp_path / "raw.nc"]
    for out, flags in zip(forecasts, ((), ("--raw-weights",)), strict=True):
        graticule("forecast", run, "--init", "2001-02-10", "--out", out, *flags, check=True)
    assert forecasts[0].read_bytes() != forecasts[1].read_bytes()
