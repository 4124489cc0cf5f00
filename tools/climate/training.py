"""The commands that train and score one model. Each is a part with a file as result."""

import contextlib
import os
import shutil

import program

CHECKPOINTS = 10  # of a run: a killed run loses at most a tenth


def set_all(settings):
    return [part for setting in settings for part in ("--set", setting)]


def data_settings(data):
    def quoted(pair):
        return "[" + ", ".join(f'"{time}"' for time in pair) + "]"

    return [f"data.path={data['path']}", *(f"data.{part}={quoted(data[part])}" for part in ("train", "valid", "test"))]


def copy_whole(source, target):
    shutil.copyfile(source, target + ".new")
    os.replace(target + ".new", target)


def train(name, folder, run, budget, study, definition, lr, seed):
    """The part that trains one model into the run folder `folder/run`. All runs share one pass over the statistics."""
    out, steps = f"{folder}/{run}", definition["steps"]
    settings = [
        *data_settings(budget["data"]),
        *study["set"],
        f"train.steps={steps}",
        f"train.lr={lr}",
        f"train.warmup={max(10, steps // 20)}",
        f"train.seed={seed}",
        *definition["settings"],  # after the common settings, so that a tried setting wins
        "train.threads=1",
        f"run.out={out}",
        f"run.checkpoint_every={max(1, steps // CHECKPOINTS)}",
        "run.keep=1",
    ]
    own, shared = f"{out}/statistics.json", f"{folder}/statistics.json"

    def make(runner):
        os.makedirs(out, exist_ok=True)
        if os.path.exists(shared) and not os.path.exists(own):
            copy_whole(shared, own)
        arguments = ["train", study["recipe"], *set_all(settings), "--resume", "auto"]
        runner.run([program.PROGRAM, *arguments], f"{out}/commands.txt")
        if not os.path.exists(shared):
            copy_whole(own, shared)

    return name, f"{out}/checkpoints/step-{steps}/manifest.json", make


def _later(name, run, result, *arguments):
    def make(runner):
        command_line = [program.PROGRAM, *map(str, arguments), "--out", result, "--set", "train.threads=1"]
        runner.run(command_line, f"{run}/commands.txt")

    return name, result, make


def validate(name, run, result, dates, span):
    """The part that scores a model at its first lead on `dates` initial times of a span of validation."""
    return _later(name, run, result, "eval", run, "--samples", dates, "--range", *span)


def test(name, run, result, lead, steps, dates):
    """The part that scores a model on the recipe's test times, date by date."""
    return _later(
        name, run, result, "eval", run, "--lead", lead, "--steps", steps, "--samples", dates, "--by-date"
    )  # fmt: skip


def fields(name, run, result, lead, first, last, every):
    """The part that writes the forecast fields of many initial times."""
    half = result.replace(".nc", ".new.nc")
    span = ("--init", first, "--until", last, "--every", every)
    _, _, write = _later(name, run, half, "forecast", run, "--lead", lead, *span)

    def make(runner):
        with contextlib.suppress(FileNotFoundError):
            os.remove(half)
        write(runner)
        os.replace(half, result)

    return name, result, make
