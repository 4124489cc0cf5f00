"""Forecasts a jet on the sphere that breaks into vortices: trajectories of the shallow-water equations in the layout of
The Well, made by dinosaur-dycore. Prints the RMSE of the model beside that of persistence, and draws the northern
hemisphere's wind if matplotlib is there.

python 08_shallow_water.py              # 32 x 64 points, 120 steps: half a minute of one core
python 08_shallow_water.py 600 T42      # 64 x 128 points, longer
"""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import h5py
import xarray as xr

RECIPE = """
data = {path = "waves.hdf5", grid = "plane", periodic = ["columns"], lead_hours = 1, train = ["0-9"], test = ["10-11"],
        batch = 4}
model = {patch = 4, dim = 96, depth = 3, heads = 4}
train = {steps = STEPS, lr = 3e-3, warmup = 15}
run = {out = "run", log_every = 30}
"""


def run(*command):
    subprocess.run(command, check=True)


steps, truncation = sys.argv[1:3] or ("120", "T21")
tool = Path(__file__).resolve().parents[1] / "tools" / "gcm" / "make_shallow_water.py"
run(sys.executable, tool, "--truncation", truncation, "--trajectories", "12", "--out", "waves.hdf5")
Path("recipe.toml").write_text(" ".join(RECIPE.replace("STEPS", steps).split()).replace("} ", "}\n"))
run("graticule", "train", "recipe.toml")
run("graticule", "eval", "run", "--steps", "4", "--samples", "20")
run("graticule", "forecast", "run", "--init", "10:0", "--steps", "4", "--truth", "run/truth.nc")

told = {
    (row["variable"], row["lead_hours"], row["forecast"]): row
    for row in json.loads(Path("run/scores.json").read_text())["scores"]
}
for (variable, lead, who), row in told.items():
    if who == "model":
        beside = told[variable, lead, "persistence"]["rmse"]
        print(f"{variable} after {6 * lead} h: RMSE {row['rmse']:.3g} {row['units']}, persistence {beside:.3g}")
        assert row["rmse"] < beside
if importlib.util.find_spec("matplotlib"):
    import matplotlib.pyplot as plt

    wind = {name: xr.open_dataset(f"run/{name}.nc")["velocity_phi"] for name in ("forecast", "truth")}
    with h5py.File("waves.hdf5") as file:
        pictures = {"start": file["t1_fields/velocity"][10, 0, ..., 1]}
    pictures |= {f"{name}, 24 h later": field.values[0, -1] for name, field in wind.items()}
    figure, axes = plt.subplots(1, 3, figsize=(12, 2.6))
    for axis, (title, of) in zip(axes, pictures.items(), strict=True):
        axis.imshow(of[: len(of) // 2], cmap="RdBu_r", vmin=-60, vmax=60, aspect="auto")
        axis.set(title=title, xticks=[], yticks=[])
    figure.savefig("shallow_water.png", dpi=80, bbox_inches="tight")
