"""Tests memory: `train --memory`, limits, and `plan --dry-run`."""

import json
import re
import resource
import signal

import pytest

from command import graticule, write_recipe

TIGHT = "train.memory_gib=0.0001"


def lines_of(result):
    return [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]


@pytest.mark.parametrize("ranks", [1, 2])
def test_memory_is_told_by_account(ranks, tmp_path):
    recipe = write_recipe(tmp_path)
    result = graticule("train", recipe, "--memory", "--json", ranks=ranks)
    assert result.returncode == 0, result.stderr
    *steps, memory = [line for line in lines_of(result) if line.get("kind") != "evaluation"]
    assert memory["kind"] == "memory" and 0 <= memory["rank"] < ranks
    assert sum(memory["accounts"].values()) == memory["peak_bytes"] == steps[-1]["tensor_peak_bytes"]
    assert memory["resident_peak_bytes"] > memory["peak_bytes"]
    assert {"optimizer", "activations", "data"} <= {name for name, held in memory["accounts"].items() if held > 0}

    dry = graticule("plan", recipe, "--ranks", ranks, "--local-size", ranks, "--dry-run", memory["rank"], "--json")
    assert dry.returncode == 0, dry.stderr
    planned = json.loads(dry.stdout)
    assert planned["peak_bytes"] == pytest.approx(memory["peak_bytes"], rel=0.05)
    assert bool(planned["sent"]) == (ranks > 1)


def test_memory_is_told_to_people(tmp_path):
    result = graticule("train", write_recipe(tmp_path), "--memory")
    assert result.returncode == 0, result.stderr
    assert re.search(r"optimizer +[\d.]+ MiB +[\d.]+ %", result.stdout), result.stdout
    assert "resident" in result.stdout


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("policy", ["keep", "auto"])
def test_recipe_that_does_not_fit_is_refused_before_it_runs(ranks, policy, tmp_path):
    overrides = ("--set", TIGHT, "--set", f"train.activations={policy}")
    result = graticule("train", write_recipe(tmp_path), *overrides, ranks=ranks)
    assert result.returncode == 2, result.stderr
    assert result.stderr.count("graticule: [memory]") == 1, result.stderr
    for words in ("train.memory_gib", "optimizer", "more ranks", "MiB"):
        assert words in result.stderr
    assert not (tmp_path / "run" / "metrics.jsonl").exists()


def limit_memory():
    resource.setrlimit(resource.RLIMIT_DATA, (600 << 20, 600 << 20))


@pytest.mark.parametrize("ranks", [1, 2])
def test_running_out_of_memory_is_explained(ranks, tmp_path):
    replace = [("dim = 32\ndepth = 2", "dim = 512\ndepth = 12"), ("rows=8,columns=12", "rows=64,columns=96")]
    recipe = write_recipe(tmp_path, replace=replace)
    result = graticule("train", recipe, "--set", "train.memory_gib=1000", ranks=ranks, preexec_fn=limit_memory)
    assert result.returncode == 1, result.stderr
    assert 1 <= result.stderr.count("graticule: [memory]") <= ranks, result.stderr
    assert "no memory left" in result.stderr and "more ranks" in result.stderr and "optimizer" in result.stderr


def test_auto_chooses_what_fits(tmp_path):
    recipe = write_recipe(tmp_path, replace=[("depth = 2", "depth = 6")])

    def peak(policy):
        dry = graticule("plan", recipe, "--ranks", 1, "--dry-run", 0, "--set", f"train.activations={policy}", "--json")
        return json.loads(dry.stdout)["peak_bytes"]

    policies = ["keep", "recompute_but_attention", "recompute", "offload"]
    peaks = {policy: peak(policy) for policy in policies}
    assert peaks["recompute"] < peaks["recompute_but_attention"] < peaks["keep"]
    limit = (peaks["keep"] + peaks["recompute"]) / 2
    first = next(policy for policy in policies if peaks[policy] <= limit)
    between = ("--set", f"train.memory_gib={limit / 2**30:.9f}")
    kept = graticule("train", recipe, *between)
    assert kept.returncode == 2 and "would fit: " in kept.stderr, kept.stderr
    chosen = graticule("train", recipe, *between, "--set", "train.activations=auto")
    assert chosen.returncode == 0, chosen.stderr
    resolved = (tmp_path / "run" / "recipe.toml").read_text()
    assert re.search(rf"activations *= *['\"]{first}['\"]", resolved), resolved


@pytest.mark.parametrize("moments", ["fp32", "bf16"])
def test_state_in_a_file_trains(moments, tmp_path):
    mapped = ("--set", f"train.state_in={tmp_path}", "--set", f"train.moments={moments}")
    result = graticule("train", write_recipe(tmp_path), *mapped, ranks=2)
    assert result.returncode == 0, result.stderr


def limit_files():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


# On one rank, because under this limit MPI cannot allocate its shared memory.
def test_disk_full_while_offloading_ends_the_run(tmp_path):
    recipe = write_recipe(tmp_path, replace=[("dim = 32", "dim = 128")])
    store = tmp_path / "store"
    store.mkdir()
    offload = ("--set", "train.activations=offload", "--set", f"train.offload_to={store}")
    result = graticule("train", recipe, *offload, preexec_fn=limit_files)
    assert result.returncode == 1, result.stdout + result.stderr
    assert f"[offload] {store}: file too large after" in result.stderr, result.stderr
    assert "name another train.offload_to" in result.stderr
    assert not list(store.iterdir())
    whole = graticule("train", recipe, "--resume", "auto", *offload, ranks=2)
    assert whole.returncode == 0, whole.stderr
    assert not list(store.iterdir())


def test_offloading_to_a_folder_that_is_not_there_is_refused(tmp_path):
    recipe = write_recipe(tmp_path)
    gone = ("--set", "train.activations=offload", "--set", f"train.offload_to={tmp_path / 'gone'}")
    result = graticule("train", recipe, *gone, ranks=2)
    assert result.returncode == 2, result.stderr
    assert result.stderr.count("graticule: ") == 1 and "train.offload_to" in result.stderr, result.stderr


def test_dry_run_of_a_rank_of_thousands(tmp_path):
    big = ["model.preset=10b", "parallel.shard=full", "train.precision=bf16", "train.activations=recompute"]
    grid = '"synthetic:rows=512,columns=1024,variables=8,times=200"'
    replace = [('"synthetic:rows=8,columns=12,variables=6,times=200"', grid)]
    replace.append(("dim = 32\ndepth = 2\nheads = 4\n", ""))
    recipe = write_recipe(tmp_path, replace=replace)
    arguments = [word for key in big for word in ("--set", key)]
    result = graticule("plan", recipe, "--ranks", 2048, "--local-size", 8, "--dry-run", 17, *arguments, "--json")
    assert result.returncode == 0, result.stderr
    run = json.loads(result.stdout)
    assert run["parameters"] > 9e9 and run["owned_parameters"] < run["parameters"] / 1000
    assert run["accounts"]["optimizer"] >= 12 * run["owned_parameters"]
    assert run["sent"]["whole weights"]["operations"] > 30


WRONG = {
    "no recipe": (["--ranks", 2, "--dry-run", 0], "requires recipe"),
    "rank above": (["RECIPE", "--ranks", 2, "--dry-run", 2], "rank 2 of 2: choose 0 to 1"),
    "rank below": (["RECIPE", "--ranks", 2, "--dry-run", -1], "rank -1 of 2: choose 0 to 1"),
    "no ranks": (["RECIPE", "--dry-run", 0], "--ranks"),
    "zero ranks": (["RECIPE", "--ranks", 0, "--dry-run", 0], "0 ranks: choose 1 or more"),
    "no node": (["RECIPE", "--ranks", 2, "--local-size", 0, "--dry-run", 0], "0 ranks a node"),
    "layout": (["RECIPE", "--ranks", 3, "--dry-run", 0, "--set", "parallel.ulysses=2"], "3 were started"),
    "heads": (["RECIPE", "--ranks", 5, "--dry-run", 0, "--set", "parallel.ulysses=5"], "choose at most 4"),
    "nothing": ([], "--show schedule"),
}


@pytest.mark.parametrize("name", WRONG)
def test_dry_run_refuses(name, tmp_path):
    arguments, words = WRONG[name]
    recipe = write_recipe(tmp_path)
    result = graticule("plan", *[recipe if word == "RECIPE" else word for word in arguments])
    assert result.returncode == 2, result.stdout + result.stderr
    assert words in result.stdout + result.stderr, result.stderr
