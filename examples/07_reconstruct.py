"""Reconstructs hidden parts of a photograph of a retina (masked autoencoding), and prints how near the hidden pixels
come beside the mean of the visible pixels around. Draws the picture if matplotlib is there.

The photograph is in scikit-image's package: Mikael Haggstrom, Wikimedia Commons, CC0. Here it is made smaller.

python 07_reconstruct.py          # 176 x 176 pixels, 1,936 tokens, 40 steps: a minute of one core
python 07_reconstruct.py 1000     # longer
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import xarray as xr
from scipy.ndimage import uniform_filter
from skimage import data

RECIPE = """
data = {path = "retina.npy", grid = "plane", dimensions = ["row", "column", "channel"], train = ["0"], test = ["0"],
        allow_overlap = true}
task = {kind = "reconstruct", masked = 0.75, decoder_dim = 32, decoder_heads = 2}
model = {patch = 4, tokens = "channels", dim = 64, depth = 2, heads = 4}
train = {steps = STEPS, lr = 3e-3}
run = {out = "run", log_every = 20}
"""

side = 176
image = data.retina()[: 8 * side, : 8 * side].reshape(side, 8, side, 8, 3).mean((1, 3)) / 255
np.save("retina.npy", image.astype("f4"))
steps = sys.argv[1] if len(sys.argv) > 1 else "40"
Path("recipe.toml").write_text(" ".join(RECIPE.replace("STEPS", steps).split()).replace("} ", "}\n"))
for command in (["train", "recipe.toml"], ["eval", "run"], ["predict", "run"]):
    subprocess.run(["graticule", *command], check=True)

told = xr.open_zarr("run/predictions.zarr")
model, hidden = (np.stack([told[f"retina_{c}{end}"].values[0] for c in range(3)], 2) for end in ("", "_hidden"))
seen = 1 - hidden
around, share = (uniform_filter(x, (13, 13, 1), mode="nearest") for x in (image * seen, seen))
filtered = np.where(hidden > 0, around / np.maximum(share, 1e-6), image)
for name, guess in (("model", model), ("mean filter", filtered)):
    error = ((guess - image)[hidden > 0] ** 2).mean()
    print(f"PSNR of the hidden pixels, {name}: {-10 * np.log10(error):.2f} dB")
if importlib.util.find_spec("matplotlib"):
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 4, figsize=(12, 3))
    pictures = {"visible": image * seen, "model": model, "mean filter": filtered, "photograph": image}
    for axis, (title, of) in zip(axes, pictures.items(), strict=True):
        axis.imshow(of.clip(0, 1))
        axis.set(title=title, xticks=[], yticks=[])
    figure.savefig("reconstruct.png", dpi=80, bbox_inches="tight")
