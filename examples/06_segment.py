"""Segments volumes with labels that this program makes itself: cells with a nucleus, in noise. Prints the Dice of the
model beside that of two thresholds, and draws one layer of a volume if matplotlib is there.

python 06_segment.py          # 60 steps, a minute of one core
python 06_segment.py 400      # longer
"""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import xarray as xr

RECIPE = """
data = {path = "cells.npy,labels.npy", grid = "volume", dimensions = ["sample", "layer", "row", "column"],
        train = ["0-12"], test = ["13-15"]}
task = {kind = "segment", labels = "labels", classes = 3}
model = {patch = [2, 4, 4], dim = 64, depth = 2, heads = 4}
train = {steps = STEPS, lr = 3e-3}
run = {out = "run", log_every = 20}
"""

rng = np.random.default_rng(1)
size = (12, 24, 24)
where = np.stack(np.indices(size)).astype("f4")
images, labels = np.zeros((16, *size), "f4"), np.zeros((16, *size), "u1")
for image, label in zip(images, labels, strict=True):
    for _ in range(4):
        away = np.sqrt((((where.T - rng.uniform(0, size)) / [0.8, 1, 1]) ** 2).sum(-1)).T
        label[(away < 6) & (label == 0)] = 1  # the cell
        label[away < 2.5] = 2  # its nucleus
    image += label / 2 + rng.normal(0, 0.6, size)
np.save("cells.npy", images)
np.save("labels.npy", labels)
steps = sys.argv[1] if len(sys.argv) > 1 else "60"
Path("recipe.toml").write_text(" ".join(RECIPE.replace("STEPS", steps).split()).replace("} ", "}\n"))
for command in (["train", "recipe.toml"], ["eval", "run"], ["predict", "run"]):
    subprocess.run(["graticule", *command], check=True)

guess = np.digitize(images[13:], [0.25, 0.75])
for row in json.loads(Path("run/scores.json").read_text())["scores"][:6:2]:
    c = int(row["of"][-1])
    both, either = (guess == c) & (labels[13:] == c), (guess == c).sum() + (labels[13:] == c).sum()
    print(f"{row['of']}: Dice {row['value']:.3f}, thresholds {2 * both.sum() / either:.3f}")
if importlib.util.find_spec("matplotlib"):
    import matplotlib.pyplot as plt

    told = xr.open_zarr("run/predictions.zarr")["labels"].values
    figure, axes = plt.subplots(1, 4, figsize=(10, 3))
    pictures = {"image": images[13:], "truth": labels[13:], "model": told, "thresholds": guess}
    for axis, (title, of) in zip(axes, pictures.items(), strict=True):
        axis.imshow(of[0, 6], vmin=-1 if title == "image" else 0, vmax=2)
        axis.set(title=title, xticks=[], yticks=[])
    figure.savefig("segment.png", dpi=80, bbox_inches="tight")
