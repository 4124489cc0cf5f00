"""Tests train --restarts: lost ranks, faults that come again, signals; and run folders that were moved or copied."""

import json
import os
import shutil
import signal
import subprocess
import time

import pytest

from command import ENVIRONMENT, MPIEXEC, PROGRAM, graticule, write_recipe


def recipe_of(folder, steps=60):
    return write_recipe(folder, steps=steps, replace=[('out = "', 'checkpoint_every = 5\nout = "')])


def start(recipe, *arguments, program=PROGRAM):
    command = [str(program), "train", str(recipe), "--restarts", "4", *map(str, arguments)]
    return subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ranks_below(process):
    """The numbers of the processes of the program that this process started, at any depth."""
    children = {}
    for line in subprocess.run(["ps", "-eo", "pid=,ppid=,comm="], capture_output=True, text=True).stdout.splitlines():
        pid, parent, name = line.split(None, 2)
        children.setdefault(int(parent), []).append((int(pid), name))
    found, todo = [], [process.pid]
    while todo:
        for pid, name in children.get(todo.pop(), []):
            todo.append(pid)
            found += [pid] if name.strip() == "graticule" else []
    return found


def wait_for_a_checkpoint(run, newer_than=0):
    for _ in range(600):
        steps = [int(path.name[5:]) for path in (run / "checkpoints").glob("step-*") if path.name[5:].isdigit()]
        if max(steps, default=0) > newer_than:
            return max(steps)
        time.sleep(0.02)
    raise AssertionError("no checkpoint")


def losses_of(run):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return {line["step"]: line["loss"] for line in lines if "loss" in line}


def test_a_lost_rank_leaves_the_others_to_go_on(tmp_path):
    recipe, run = recipe_of(tmp_path, steps=400), tmp_path / "run"
    process = start(recipe, "--ranks", 3, "--launch", f"{MPIEXEC} -n {{ranks}}")
    saved = wait_for_a_checkpoint(run)
    os.kill(ranks_below(process)[1], signal.SIGKILL)
    saved = wait_for_a_checkpoint(run, newer_than=saved + 4)
    os.kill(ranks_below(process)[0], signal.SIGKILL)
    output, errors = process.communicate(timeout=100)
    assert process.returncode == 0, errors
    assert errors.count("[restart] a rank was lost") == 2, errors
    assert "restart 1 of 4 with 2 ranks, from " in errors and "restart 2 of 4 with 1 rank, from " in errors
    assert "3 ranks: " in output and "planned for 2 ranks" in output
    assert "[restart] a rank was lost" in (run / "log.txt").read_text()
    assert sorted(losses_of(run)) == list(range(1, 401))
    whole = graticule("train", recipe, "--set", f"run.out={tmp_path / 'whole'}", check=True)
    assert whole.returncode == 0
    # Soon after the second kill: with other layouts rounding differs, and over 400 steps it grows beyond a hundredth.
    assert losses_of(run)[saved + 20] == pytest.approx(losses_of(tmp_path / "whole")[saved + 20], rel=5e-3)


def test_a_rank_that_stands_still_counts_as_lost(tmp_path):
    recipe, run = recipe_of(tmp_path, steps=200), tmp_path / "run"
    process = start(recipe, "--ranks", 2, "--launch", f"{MPIEXEC} -n {{ranks}}", "--set", "run.watchdog_seconds=4")
    wait_for_a_checkpoint(run)
    os.kill(max(ranks_below(process)), signal.SIGSTOP)
    _, errors = process.communicate(timeout=100)
    assert process.returncode == 0, errors
    assert errors.count("graticule: [watchdog] step ") == 1, errors
    assert "[restart] a rank was lost" in errors and "with 1 rank, from " in errors, errors
    assert sorted(losses_of(run)) == list(range(1, 201))


def test_the_program_may_be_replaced_meanwhile(tmp_path):
    recipe, run = recipe_of(tmp_path, steps=200), tmp_path / "run"
    program, new = tmp_path / "graticule", tmp_path / "new"
    shutil.copy(PROGRAM, program)
    process = start(recipe, program=program)
    wait_for_a_checkpoint(run)
    shutil.copy(PROGRAM, new)
    new.rename(program)
    os.kill(next(rank for rank in ranks_below(process) if rank != process.pid), signal.SIGKILL)
    _, errors = process.communicate(timeout=100)
    assert process.returncode == 0 and errors.count("[restart] a rank was lost") == 1, errors
    assert sorted(losses_of(run)) == list(range(1, 201))


def test_faults_of_the_recipe_are_not_started_again(tmp_path):
    recipe, run = recipe_of(tmp_path), tmp_path / "run"
    mistake = graticule("train", recipe, "--restarts", 9, "--set", "model.heads=5")
    assert mistake.returncode == 2 and mistake.stderr.count("graticule: [") == 1, mistake.stderr
    bad = graticule("train", recipe, "--restarts", 9, "--set", "train.lr=1e30", "--set", "train.clip=0")
    assert bad.returncode == 1 and "the fault is the recipe's own" in bad.stderr, bad.stderr
    assert bad.stderr.count("graticule: [train]") == 1
    # A launcher that cannot start anything ends three times without a checkpoint.
    shutil.rmtree(run)
    broken = graticule("train", recipe, "--restarts", 9, "--ranks", 2, "--launch", "kill -9 $$ #")
    assert broken.returncode > 2 and "3 jobs in a row ended without a new checkpoint" in broken.stderr, broken.stderr
    assert broken.stderr.count("[restart] a rank was lost") == 2
    # After an error mpiexec may tell the signal by which it ended the other ranks (9): no rank was lost.
    for code in (1, 9):
        echo = f"sh -c 'echo graticule: [x] no >&2; exit {code}'"
        same = graticule("train", recipe, "--restarts", 9, "--ranks", 2, "--launch", echo)
        assert same.returncode == code and "the same fault came twice" in same.stderr, same.stderr
        assert f"the job ended with code {code}; restart 1 of 9 with 2 ranks" in same.stderr, same.stderr


def test_a_signal_ends_it_with_a_checkpoint(tmp_path):
    process = start(recipe_of(tmp_path, steps=100000))
    wait_for_a_checkpoint(tmp_path / "run")
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0 and "stopped by a signal" in output and "[restart]" not in errors, errors


def test_options_of_restarts_alone_are_refused(tmp_path):
    result = graticule("train", recipe_of(tmp_path), "--ranks", 2)
    assert result.returncode == 2 and "belong to --restarts N" in result.stderr


def test_a_moved_or_copied_run_goes_on_in_its_new_place(tmp_path):
    recipe = recipe_of(tmp_path, steps=10)
    graticule("train", recipe, check=True)
    run, copy = tmp_path / "run", tmp_path / "elsewhere" / "copy"
    shutil.copytree(run, copy)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    for arguments in ([], ["--resume", "auto"]):
        refused = graticule("train", copy / "recipe.toml", *arguments, "--set", "train.steps=12")
        assert refused.returncode == 2 and f"`graticule train {copy}`" in refused.stderr, refused.stderr
    went_on = graticule("train", copy, "--set", "train.steps=12")
    assert went_on.returncode == 0, went_on.stderr
    assert sorted(losses_of(copy)) == list(range(1, 13)) and (copy / "checkpoints" / "step-12").is_dir()
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    # The original goes on by its own recipe, and a finished run does nothing and says so.
    again = graticule("train", run / "recipe.toml", "--resume", "auto")
    assert again.returncode == 0 and "nothing to train: 10 steps were made" in again.stdout
    assert graticule("train", run).returncode == 0
    none = graticule("train", tmp_path / "elsewhere")
    assert none.returncode == 2 and "is no run folder" in none.stderr
