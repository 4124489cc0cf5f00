"""Tests `graticule plan RECIPE --cluster`: output, refusals and files; and training without a section [parallel]."""

import json
import re

import pytest

from command import ROOT, graticule, write_recipe

ASK = ("--cluster", "dgx_h100", "--ranks", 8)


def planned(recipe, *arguments, ask=ASK):
    result = graticule("plan", recipe, *ask, *arguments, "--json")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_table_and_reasons_are_told_to_people(tmp_path):
    result = graticule("plan", write_recipe(tmp_path), *ASK)
    assert result.returncode == 0, result.stderr
    for words in ("step s", "attention", "bubble", "sustained", "GiB held", "A dry run of rank", "It is limited by"):
        assert words in result.stdout
    assert re.search(r"^ +1 .*(data|context|ulysses|tensor|pipeline) [2-8]", result.stdout, re.MULTILINE)


def test_json_holds_everything(tmp_path):
    report = planned(write_recipe(tmp_path))
    times = [entry["step_s"] for entry in report["best"]]
    assert 1 < len(times) <= 10 and times == pytest.approx(sorted(times))
    for entry in report["best"]:
        layout = entry["layout"]
        degrees = [layout[axis] for axis in ("data", "context", "ulysses", "tensor", "pipeline")]
        assert degrees[0] * degrees[1] * degrees[2] * degrees[3] * degrees[4] == 8
        assert sum(entry["parts_s"].values()) == pytest.approx(entry["step_s"])
        assert sum(entry["memory"]["accounts"].values()) == entry["memory"]["peak_bytes"]
        assert entry["memory"]["peak_bytes"] <= report["memory_limit_bytes"]
    assert report["checked"]["peak_bytes"] == pytest.approx(report["best"][0]["memory"]["peak_bytes"], rel=0.2)


def test_what_the_recipe_names_stays(tmp_path):
    fixed = ("--set", "parallel.ulysses=2", "--set", "parallel.shard=full", "--set", "train.activations=recompute")
    recipe = write_recipe(tmp_path)
    for entry in planned(recipe, *fixed)["best"]:
        layout = entry["layout"]
        assert (layout["ulysses"], layout["shard"], layout["activations"]) == (2, "full", "recompute")
    assert planned(recipe, *fixed, "--free")["best"][0]["step_s"] <= planned(recipe, *fixed)["best"][0]["step_s"]


def test_explains_a_layout(tmp_path):
    recipe = write_recipe(tmp_path)
    good = planned(recipe, "--explain", "data=2,ulysses=4,shard=full,activations=recompute")["explained"]
    assert good["fits"] and good["best"]["layout"]["ulysses"] == 4 and "The best of all is" in good["verdict"]
    illegal = planned(recipe, "--explain", "ulysses=8")["explained"]
    assert not illegal["works"] and "choose at most 4 and let context take the rest" in illegal["verdict"]
    best = planned(recipe, "--set", "train.memory_gib=1")["best"]
    least = min(entry["memory"]["peak_bytes"] for entry in best)
    tight = ("--set", f"train.memory_gib={1.01 * least / 2**30:.9f}")
    large = planned(recipe, *tight, "--explain", "context=8,shard=none,activations=keep")
    assert large["explained"].get("fits") is False and "too much" in large["explained"]["verdict"]
    result = graticule("plan", recipe, *ASK, "--explain", "ulises=2")
    assert result.returncode == 2 and "did you mean ulysses" in result.stderr


def test_written_recipe_trains(tmp_path):
    recipe, out = write_recipe(tmp_path), tmp_path / "planned.toml"
    ask = ("--cluster", "dgx_h100", "--ranks", 2)
    best = planned(recipe, "--write", out, ask=ask)["best"][0]["layout"]
    trained = graticule("train", out, ranks=2)
    assert trained.returncode == 0, trained.stderr
    assert "planned for" not in trained.stdout
    resolved = (tmp_path / "run" / "recipe.toml").read_text()
    assert re.search(rf"^ulysses = {best['ulysses']}$", resolved, re.MULTILINE)
    refused = graticule("plan", recipe, *ask, "--write", recipe)
    assert refused.returncode == 2 and "is the recipe itself" in refused.stderr


WRONG = {
    "devices": (["--ranks", 2000], [], "choose at most that many"),
    "no ranks": (["--ranks", 0], [], "0 ranks: choose 1 or more"),
    "cluster": (["--ranks", 2, "--cluster", "front"], [], "'front' is not known: choose"),
    "heads": (["--ranks", 5], ["parallel.context=1", "parallel.pipeline=1", "parallel.data=1"], "below 4, above none"),
    "memory": (["--ranks", 1], ["train.memory_gib=0.0006"], "The leanest is"),
    "both": (["--ranks", 1, "--dry-run", 0], [], "--dry-run"),
}


@pytest.mark.parametrize("name", WRONG)
def test_refuses(name, tmp_path):
    arguments, keys, words = WRONG[name]
    if "--cluster" not in arguments:
        arguments = ["--cluster", "dgx_h100", *arguments]
    overrides = [word for key in keys for word in ("--set", key)]
    result = graticule("plan", write_recipe(tmp_path), *arguments, *overrides)
    assert result.returncode != 0 and words in result.stdout + result.stderr, result.stderr


def test_says_what_would_fit(tmp_path):
    recipe = write_recipe(tmp_path)
    one = ("--cluster", "dgx_h100", "--ranks", 1)
    limit = 0.9 * planned(recipe, "--set", "train.activations=recompute", ask=one)["best"][0]["memory"]["peak_bytes"]
    keys = ("--set", f"train.memory_gib={limit / 2**30:.9f}", "--set", "train.activations=keep")
    result = graticule("plan", recipe, *one, *keys)
    assert result.returncode == 2 and "the largest account is" in result.stderr, result.stderr
    ranks = re.search(r"start (\d+) ranks: ", result.stderr)
    assert ranks, result.stderr
    planned(recipe, *keys, ask=("--cluster", "dgx_h100", "--ranks", ranks[1]))


def test_training_without_a_section_asks_the_planner(tmp_path):
    recipe = write_recipe(tmp_path, steps=2)
    (tmp_path / "clusters").mkdir()
    guess = (ROOT / "clusters" / "cpu.toml").read_text()
    here = guess.replace('name = "cpu"', 'name = "our_server"').replace("devices_per_node = 64", "devices_per_node = 2")
    (tmp_path / "clusters" / "here.toml").write_text(here)
    result = graticule("train", recipe, ranks=2, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("planned for 2 ranks of our_server") == 1
    assert "planned for 2 ranks of our_server" in (tmp_path / "run" / "log.txt").read_text()
    dry = graticule("plan", recipe, "--ranks", 2, "--local-size", 2, "--dry-run", 0, cwd=tmp_path)
    assert "planned for 2 ranks of our_server" in dry.stdout, dry.stderr
    with_section = graticule("train", recipe, "--set", "parallel.shard=full", "--resume", "auto", ranks=2, cwd=tmp_path)
    assert with_section.returncode == 0 and "planned for" not in with_section.stdout
