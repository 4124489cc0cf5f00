"""Measures what a trained model says on other grids than that of its training (docs/other_grids.md). One process, fp32.

    OMP_NUM_THREADS=1 PYTHONPATH=python .venv/bin/python bench/other_grids.py tiles --steps 1000
    OMP_NUM_THREADS=1 PYTHONPATH=python .venv/bin/python bench/other_grids.py finer --steps 1000

`tiles` trains a segmentation on crops of images that it makes itself (cells with a nucleus, in noise) and prints the
mean Dice of the middle of new images, of whole ones by tiles, and of whole ones in one sequence: places stretched over
the image, and continued beyond the crop. `finer` trains a forecast of synthetic waves at 16 x 32 points and prints its
RMSE beside persistence, averaged over variables, there and on finer and coarser points; then that of a tenth as many
steps on 32 x 64 points, begun with those weights (`--start-from`) and with none.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import torch

from graticule import exported

PROGRAM = Path(__file__).resolve().parents[1] / "build/release/graticule"
CROP, PATCH, IMAGES, SCORED = 48, 4, 60, 10
SEGMENT = f"""
[data]
path = "{{folder}}/cells.npy,{{folder}}/labels.npy"
grid = "plane"
dimensions = ["sample", "row", "column"]
crop = [{CROP}, {CROP}]
train = ["0-{IMAGES - SCORED - 1}"]
test = ["{IMAGES - SCORED}-{IMAGES - 1}"]
batch = 4
[task]
kind = "segment"
labels = "labels"
classes = 3
[model]
tokens = "channels"
patch = {PATCH}
place = "{{place}}"
dim = 64
depth = 2
heads = 4
[train]
steps = {{steps}}
lr = 3e-3
threads = 1
[run]
out = "{{folder}}/{{place}}"
"""
FORECAST = """
[data]
path = "synthetic:rows={rows},columns={columns},variables=6,times=1460"
lead_hours = 24
train = ["2001-01-01", "2001-10-31"]
test = ["2001-11-15", "2001-12-25"]
batch = 2
[model]
tokens = "channels"
patch = {patch}
dim = 64
depth = 2
heads = 4
[train]
steps = {steps}
lr = 3e-3
threads = 1
[run]
out = "{out}"
"""


def run(*arguments):
    return subprocess.run([str(PROGRAM), *map(str, arguments)], check=True, capture_output=True, text=True).stdout


def cells(count, side, rng):
    """Images and their labels: 0 background, 1 cell, 2 its nucleus."""
    where = np.stack(np.indices((side, side))).astype("f4")
    labels = np.zeros((count, side, side), "u1")
    for label in labels:
        for _ in range(side * side // 400):
            away = np.sqrt(((where.T - rng.uniform(0, side, 2)) ** 2).sum(-1)).T
            label[(away < 7) & (label == 0)] = 1
            label[away < 3] = 2
    return (labels / 2 + rng.normal(0, 0.6, labels.shape)).astype("f4"), labels


def mean_dice(told, labels):
    both = [2 * ((told == c) & (labels == c)).sum() / ((told == c).sum() + (labels == c).sum()) for c in range(3)]
    return float(np.mean(both))


def dice_of(arguments, out):
    run("eval", *arguments, "--out", out)
    return next(row["value"] for row in json.loads(out.read_text())["scores"] if row["of"] == "mean of classes")


def in_one_sequence(file, images, labels, scale):
    """Whole images: a patch's place is its own times `scale`, in patches of the crop."""
    weights, model, statistics = file
    side, axes = images.shape[-1], ("rows", "columns")
    trained = {axis: {"patches": model[axis] // PATCH, "scale": scale, "shift": 0} for axis in axes}
    model = {**model, "rows": side, "columns": side, "trained": trained}
    with torch.no_grad():
        fields = [exported.normalise(torch.from_numpy(image[None]), model, statistics) for image in images]
        told = np.stack([exported.segment(weights, model, field).argmax(0).numpy() for field in fields])
    return mean_dice(told, labels)


def tiles(folder, steps):
    for place in ("aimed", "added", "rotary"):
        for side in (CROP * 3 // 2, CROP * 2, CROP * 4):
            images, labels = cells(IMAGES, side, np.random.default_rng(1))
            np.save(folder / "cells.npy", images)
            np.save(folder / "labels.npy", labels)
            if side == CROP * 3 // 2:
                (folder / "recipe.toml").write_text(SEGMENT.format(folder=folder, place=place, steps=steps))
                run("train", folder / "recipe.toml")
                run("export", folder / place, folder / f"{place}.safetensors")
                file = exported.read(folder / f"{place}.safetensors")
            scored = images[-SCORED:], labels[-SCORED:]
            print(
                f"place {place}, crops of {CROP}, images of {side}: mean Dice of the middle "
                f"{dice_of([folder / place], folder / 'middle.json'):.3f}, by tiles "
                f"{dice_of([folder / place, '--tiles'], folder / 'tiles.json'):.3f}, in one sequence: stretched "
                f"{in_one_sequence(file, *scored, CROP / side):.3f}, continued {in_one_sequence(file, *scored, 1):.3f}",
                flush=True,
            )


def rmse_beside_persistence(folder, arguments):
    run("eval", *arguments, "--samples", 40, "--out", folder / "scores.json")
    scores = json.loads((folder / "scores.json").read_text())["scores"]
    rmse = {
        who: np.array([row["rmse"] for row in scores if row["forecast"] == who]) for who in ("model", "persistence")
    }
    return float(np.exp(np.log(rmse["model"] / rmse["persistence"]).mean()))


def forecast(out, rows, patch, steps, *more):
    """A trained run in the folder `out`."""
    recipe = out.with_suffix(".toml")
    recipe.write_text(FORECAST.format(rows=rows, columns=2 * rows, patch=patch, steps=steps, out=out))
    run("train", recipe, *more)
    return out


def finer(folder, steps):
    for rows, patch in ((16, 1), (16, 2), (32, 2), (32, 4)):
        trained = forecast(folder / f"{rows}_{patch}", rows, patch, steps)
        for other in (12, 16, 24, 32) if rows == 16 else (rows,):
            path = f"data.path=synthetic:rows={other},columns={2 * other},variables=6,times=1460"
            ratio = rmse_beside_persistence(folder, [trained, "--set", path])
            print(f"{rows} x {2 * rows}, patch {patch}, scored on {other}: RMSE / persistence {ratio:.3f}", flush=True)
    for name, begin in (("tuned", ["--start-from", folder / "16_1"]), ("new", [])):
        ratio = rmse_beside_persistence(folder, [forecast(folder / name, 32, 1, steps // 10, *begin)])
        print(f"32 x 64, patch 1, {steps // 10} steps, {name}: RMSE / persistence {ratio:.3f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["tiles", "finer"])
    parser.add_argument("--steps", type=int, default=1000)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        {"tiles": tiles, "finer": finer}[arguments.what](Path(folder), arguments.steps)


if __name__ == "__main__":
    main()
