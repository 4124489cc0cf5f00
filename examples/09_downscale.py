"""Makes fields of a circulation model four times finer, and prints the RMSE of the model beside that of bicubic
interpolation. Draws a field if matplotlib is there. The circulation model is dinosaur-dycore; its output is 32 x 64
points, and the input is the mean over boxes of 4 x 4.

python 09_downscale.py           # 60 days of weather, 200 steps: a minute of one core
python 09_downscale.py 1500 365  # longer, with a year
"""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import xarray as xr

RECIPE = """
data = {path = "weather.zarr", variables = ["geopotential@500", "temperature@850", "u_component_of_wind@850",
        "v_component_of_wind@850", "mean_sea_level_pressure"], train = ["DAY0", "DAY1"], test = ["DAY2", "DAY3"],
        batch = 4}
task = {kind = "downscale", factor = 4}
model = {patch = 1, dim = 64, depth = 2, heads = 4}
train = {steps = STEPS, lr = 4e-3, warmup = 15}
run = {out = "run", log_every = 30}
"""

steps, days = map(int, sys.argv[1:3] or (200, 60))
tool = Path(__file__).resolve().parents[1] / "tools" / "gcm" / "make_dataset.py"
options = f"--days {days} --spin-up 30 --out weather.zarr".split()
subprocess.run([sys.executable, tool, *options], check=True)
recipe = " ".join(RECIPE.replace("STEPS", str(steps)).split()).replace("} ", "}\n")
dates = [np.datetime64("2001-01-01") + day for day in (0, days * 5 // 6, days * 5 // 6 + 2, days - 1)]
for i, date in enumerate(dates):  # of training and test
    recipe = recipe.replace(f"DAY{i}", str(date))
Path("recipe.toml").write_text(recipe)
for command in (["train", "recipe.toml"], ["eval", "run"], ["predict", "run"]):
    subprocess.run(["graticule", *command], check=True)

rmse = {(row["of"], row["forecast"]): row["value"] for row in json.loads(Path("run/scores.json").read_text())["scores"]}
for variable in dict.fromkeys(of for of, _ in rmse):
    print(f"{variable}: RMSE {rmse[variable, 'model']:.4g}, bicubic {rmse[variable, 'bicubic']:.4g}")
    assert rmse[variable, "model"] < rmse[variable, "bicubic"]
if importlib.util.find_spec("matplotlib"):
    import matplotlib.pyplot as plt
    from scipy.ndimage import zoom

    def wind(path):
        field = xr.open_zarr(path)["v_component_of_wind"].sel(level=850, time=str(dates[-1])).isel(time=0)
        return field.transpose("latitude", "longitude").sortby("latitude", ascending=False).values

    truth = wind("weather.zarr")
    coarse = truth.reshape(8, 4, 16, 4).mean((1, 3))
    pictures = {"input": coarse, "bicubic": zoom(coarse, 4, order=3, mode="grid-wrap", grid_mode=True)}
    pictures |= {"model": wind("run/predictions.zarr"), "truth": truth}
    figure, axes = plt.subplots(1, 4, figsize=(12, 2))
    for axis, (title, of) in zip(axes, pictures.items(), strict=True):
        axis.imshow(of, cmap="RdBu_r", vmin=-25, vmax=25, aspect="auto")
        axis.set(title=title, xticks=[], yticks=[])
    figure.savefig("downscale.png", dpi=80, bbox_inches="tight")
