"""Runs the built program for the tests, alone or over ranks."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "build" / "release" / "graticule"
MPIEXEC = ROOT / ".venv" / "bin" / "mpiexec"
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def graticule(*arguments, ranks=1, check=False, timeout=120, **options):
    """The finished process; its output is text."""
    command = [str(PROGRAM), *map(str, arguments)]
    if ranks > 1:
        command = [str(MPIEXEC), "-n", str(ranks), *command]
    return subprocess.run(
        command, capture_output=True, text=True, check=check, timeout=timeout, env=ENVIRONMENT, **options
    )


SMALL_RECIPE = """
[data]
path = "synthetic:rows=8,columns=12,variables=6,times=200"
lead_hours = 24
train = ["2001-01-01", "2001-02-04"]
test = ["2001-02-07", "2001-02-18"]
batch = 2
[model]
dim = 32
depth = 2
heads = 4
[train]
steps = {steps}
warmup = 2
threads = 1
[run]
out = "{out}"
"""

# What `data synth --variables 6` holds. A file has one level axis, so temperature has a gap at 500 hPa there.
VARIABLES = """variables = ["10m_u_component_of_wind", "10m_v_component_of_wind", "2m_temperature", "geopotential@500",
             "mean_sea_level_pressure", "temperature@850"]"""


def write_recipe(folder, steps=4, replace=()):
    """A small recipe in `folder`, with some of its lines replaced."""
    return write_text(folder, SMALL_RECIPE.format(steps=steps, out=folder / "run"), replace)


def write_text(folder, text, replace=()):
    """A recipe with this text in `folder`, with some of its lines replaced."""
    for old, new in replace:
        assert old in text
        text = text.replace(old, new)
    path = folder / "recipe.toml"
    path.write_text(text)
    return path
