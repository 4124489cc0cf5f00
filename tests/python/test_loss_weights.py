"""Tests that the weights of the loss act on training alone, and that the program says so."""

import json

from command import graticule, write_recipe


def losses(folder):
    lines = [json.loads(line) for line in (folder / "run" / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines]


def trained(folder, value):
    folder.mkdir()
    recipe = write_recipe(folder, replace=[("warmup = 2", f"warmup = 2\nloss_weights = {value}")])
    result = graticule("train", recipe, ranks=2)
    assert result.returncode == 0, result.stderr
    return losses(folder), result.stdout


def test_the_loss_says_its_weights_and_scores_have_none(tmp_path):
    plain, said = trained(tmp_path / "plain", '"none"')
    assert "weighted" not in said
    ones, _ = trained(tmp_path / "ones", "{2m_temperature = 1}")
    assert ones == plain
    halves, _ = trained(tmp_path / "halves", "{temperature = 0.25, 2m_temperature = 3}")
    heavy, said = trained(tmp_path / "heavy", "{temperature = 0.5, 2m_temperature = 6}")
    assert "weighted loss " in said and "by train.loss_weights: " in said and "2m_temperature 6" in said
    assert heavy[0] != plain[0] and heavy[0] != halves[0]
    run = tmp_path / "heavy" / "run"
    scores = [
        json.loads(graticule("eval", run, "--samples", 2, "--json", *more, check=True).stdout)["scores"]
        for more in ((), ("--set", 'train.loss_weights="none"'))
    ]
    assert scores[0] == scores[1]

    refused = graticule("train", tmp_path / "plain" / "recipe.toml", "--set", "train.loss_weights={temprature=1}")
    assert refused.returncode == 2
    assert "'temprature', which is no target: did you mean 'temperature'?" in refused.stderr
