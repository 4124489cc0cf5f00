"""Tests the main use from end to end, on one rank and on two: train, stop, resume, evaluate, forecast."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from command import ENVIRONMENT, MPIEXEC, PROGRAM, graticule, write_recipe

xarray = pytest.importorskip("xarray")


def losses(folder):
    lines = [json.loads(line) for line in (folder / "run" / "metrics.jsonl").read_text().splitlines()]
    return {line["step"]: line["loss"] for line in lines if "loss" in line}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    result = graticule("train", write_recipe(folder, steps=6), ranks=2)
    assert result.returncode == 0, result.stderr
    return folder


def test_two_ranks_train_as_one(trained, tmp_path):
    assert graticule("train", write_recipe(tmp_path, steps=6)).returncode == 0
    one, two = losses(tmp_path), losses(trained)
    assert one[1] == pytest.approx(two[1], rel=1e-5)
    assert one[6] == pytest.approx(two[6], rel=1e-3)


def test_run_folder(trained):
    run = trained / "run"
    line = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert {"step", "loss", "lr", "grad_norm", "tokens_per_s", "step_s", "memory_bytes"} <= line.keys()
    for name in ("recipe.toml", "statistics.json", "log.txt", "checkpoints/step-6/manifest.json"):
        assert (run / name).exists()
    assert list(run.glob("events.out.tfevents.*"))
    # The resolved recipe is a recipe.
    again = graticule(
        "train", run / "recipe.toml", "--set", f"run.out={trained}/again", "--set", "train.steps=1", ranks=2
    )
    assert again.returncode == 0, again.stderr


def test_a_trained_run_is_not_overwritten(trained):
    result = graticule("train", trained / "recipe.toml")
    assert result.returncode == 2 and "--resume auto" in result.stderr


def test_eval_and_forecast(trained):
    run = trained / "run"
    scored = graticule("eval", run, "--steps", 2, "--samples", 6, "--json", ranks=2)
    assert scored.returncode == 0, scored.stderr
    scores = json.loads(scored.stdout)["scores"]
    assert {s["forecast"] for s in scores} == {"model", "persistence", "climatology"}
    assert {s["lead_hours"] for s in scores} == {24, 48}
    alone = json.loads(graticule("eval", run, "--steps", 2, "--samples", 6, "--json", check=True).stdout)["scores"]
    for a, b in zip(scores, alone, strict=True):
        assert a["rmse"] == pytest.approx(b["rmse"], rel=1e-4)

    done = graticule("forecast", run, "--init", "2001-02-10T06", "--steps", 3, "--out", trained / "f.zarr",
                     "--truth", trained / "t.nc", ranks=2)  # fmt: skip
    assert done.returncode == 0, done.stderr
    with xarray.open_zarr(trained / "f.zarr") as forecast, xarray.open_dataset(trained / "t.nc") as truth:
        assert forecast.sizes["prediction_timedelta"] == 3
        assert str(forecast.time.values[0]).startswith("2001-02-10T06")
        assert "synthetic" in forecast.attrs["source"]
        for name in forecast.data_vars:
            assert forecast[name].attrs["units"] == truth[name].attrs["units"]
            assert bool(forecast[name].notnull().any())
            assert bool((forecast[name].isnull() == truth[name].isnull()).all())
    wrong = graticule("forecast", run, "--init", "2001-02-10T07")
    assert wrong.returncode == 2 and "nearest time is 2001-02-10T06" in wrong.stderr


def test_many_initial_times_in_one_file(trained):
    run, times = trained / "run", ("--init", "2001-02-08T06", "--until", "2001-02-10T06")
    for every, out in ((24, "three.zarr"), (48, "two.nc")):
        result = graticule("forecast", run, *times, "--every", every, "--steps", 2, "--out", trained / out, ranks=2)
        assert result.returncode == 0, result.stderr
    with xarray.open_zarr(trained / "three.zarr") as three, xarray.open_dataset(trained / "two.nc") as two:
        assert list(three["prediction_timedelta"].values / np.timedelta64(1, "h")) == [24, 48]
        assert three["temperature"].dims == ("time", "prediction_timedelta", "level", "latitude", "longitude")
        assert [str(time)[:13] for time in three["time"].values] == ["2001-02-08T06", "2001-02-09T06", "2001-02-10T06"]
        xarray.testing.assert_identical(three.isel(time=[0, 2]).load(), two.load())


def start(recipe, *more):
    command = [str(MPIEXEC), "-n", "2", str(PROGRAM), "train", str(recipe), *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)


def ranks_of(process):
    """Process ids of the program under a running mpiexec."""
    out = subprocess.run(["pgrep", "-f", f"{PROGRAM} train {process.args[5]}"], capture_output=True, text=True).stdout
    return [int(pid) for pid in out.split() if int(pid) != process.pid and not is_launcher(int(pid))]


def is_launcher(pid):
    with open(f"/proc/{pid}/comm") as name:
        return not name.read().startswith("graticule")


def wait_for_step(folder, step):
    for _ in range(300):
        if (folder / "run" / "metrics.jsonl").exists() and step in losses(folder):
            return
        time.sleep(0.1)
    raise AssertionError("training did not start")


def test_signal_gives_a_checkpoint_and_resume_is_exact(tmp_path):
    never = tmp_path / "never"
    never.mkdir()
    assert graticule("train", write_recipe(never, steps=40), ranks=2).returncode == 0
    recipe = write_recipe(tmp_path, steps=40)
    process = start(recipe)
    wait_for_step(tmp_path, 3)

    for pid in ranks_of(process):
        os.kill(pid, signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err
    resumed = graticule("train", recipe, "--resume", "auto", ranks=2)
    assert resumed.returncode == 0, resumed.stderr
    assert losses(tmp_path) == losses(never)


def test_a_rank_that_stands_still_is_named_and_ends_the_job(tmp_path):
    process = start(write_recipe(tmp_path, steps=100000), "--set", "run.watchdog_seconds=2")
    wait_for_step(tmp_path, 2)

    ranks = sorted(ranks_of(process))
    os.kill(ranks[-1], signal.SIGSTOP)
    out, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert err.count("[watchdog] step ") == 1 and "no answer comes" in err, out + err
    time.sleep(1)
    assert not ranks_of(process)


def test_a_dying_rank_ends_the_job(tmp_path):
    process = start(write_recipe(tmp_path, steps=100000))
    wait_for_step(tmp_path, 2)

    os.kill(ranks_of(process)[-1], signal.SIGKILL)
    process.communicate(timeout=30)
    assert process.returncode != 0
    time.sleep(1)
    assert not ranks_of(process)


def state_and_parent(pid):
    """Of a process; "Z" when it has ended and its parent has not asked for it."""
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[:2]
    except FileNotFoundError:
        return "Z", 0
    return state, int(parent)


def test_ranks_end_with_the_daemon_that_started_them(tmp_path):
    process = start(write_recipe(tmp_path, steps=100000))
    wait_for_step(tmp_path, 2)

    ranks = ranks_of(process)
    os.kill(process.pid, signal.SIGSTOP)  # mpiexec would end them, too
    for daemon in {state_and_parent(rank)[1] for rank in ranks} - {process.pid}:
        os.kill(daemon, signal.SIGKILL)
    time.sleep(1)
    living = [rank for rank in ranks if state_and_parent(rank)[0] != "Z"]
    process.kill()
    process.communicate(timeout=30)
    assert len(ranks) == 2 and not living


def test_a_wrong_command_line_is_told_by_one_rank(tmp_path):
    run = graticule("train", write_recipe(tmp_path), "train.steps=1", ranks=2)
    assert run.returncode == 2
    assert run.stderr.count("not expected: train.steps=1") == 1, run.stderr
