"""Draws small runs: data, model, layout over all axes, what is kept of a block, where state lies."""

import json
import random
import subprocess
from dataclasses import dataclass

import job
import numpy as np

WEATHER = """path = "{path}"
variables = ["10m_u_component_of_wind", "2m_temperature", "geopotential@500", "temperature@850"]
lead_hours = 24
train = ["2001-01-01", "2001-01-24"]
valid = ["2001-01-27", "2001-02-04"]
"""
IMAGES = """path = "{path}"
grid = "%s"
dimensions = %s
lead_hours = 1
train = ["0-4"]
valid = ["5"]
"""
# What a data set needs in [data], and the patch and kinds of tokens that suit it.
FORMS = {
    "synthetic": (WEATHER, [2], ["full", "aggregated", "channels"]),
    "sky.zarr": (WEATHER, [2], ["full", "aggregated", "channels"]),
    "sky.nc": (WEATHER, [2], ["full", "aggregated", "channels"]),
    "plane.npy": (IMAGES % ("plane", '["sample", "step", "row", "column", "channel"]'), [3, 4], ["full", "channels"]),
    "volume.npy": (IMAGES % ("volume", '["sample", "step", "layer", "row", "column"]'), [[2, 4, 3]], ["full"]),
}
SIZES = {"rows": 8, "columns": 12, "variables": 6, "times": 160}
SYNTHETIC = "synthetic:" + ",".join(f"{name}={size}" for name, size in SIZES.items())
HEADS, BATCH = 4, 4


@dataclass(frozen=True)
class Case:
    seed: int
    form: str  # a key of FORMS
    recipe: str  # with {path}, {out} and {scratch}
    layouts: list  # of (ranks, [parallel]); with one, all jobs of the run have it
    steps: int


def make_data(folder):
    """Writes a data set of each form into the folder."""
    sizes = [f"--{name}={size}" for name, size in SIZES.items()]
    for name in ("sky.zarr", "sky.nc"):
        subprocess.run([job.PROGRAM, "data", "synth", folder / name, *sizes], check=True, capture_output=True)
    for name, shape in {"plane.npy": (6, 8, 11, 14, 2), "volume.npy": (6, 8, 5, 9, 8)}.items():
        where = np.indices(shape)
        np.save(folder / name, np.sin(0.7 * where[0] + 0.5 * where[1] + 0.4 * sum(where[2:])).astype("f4"))


def layout(draw, ranks, depth):
    """The section [parallel] of a layout of so many ranks, over any of the axes."""
    degrees = dict.fromkeys(("pipeline", "data", "context", "ulysses", "tensor"), 1)
    most = {"pipeline": depth, "data": 2, "context": 4, "ulysses": HEADS, "tensor": HEADS}
    for prime in {1: [], 2: [2], 3: [3], 4: [2, 2], 6: [2, 3]}[ranks]:
        fits = [axis for axis in degrees if degrees[axis] * prime <= most[axis]]
        if degrees["ulysses"] * degrees["tensor"] * prime > HEADS:
            fits = [axis for axis in fits if axis not in ("ulysses", "tensor")]
        degrees[draw.choice(fits)] *= prime
    keys = dict(degrees)
    keys["shard"] = draw.choice(["none", "optimizer", "gradients", "full"])
    keys["micro_batches"] = draw.choice([1, 2]) if degrees["pipeline"] == 1 else 2
    if degrees["context"] > 1:
        keys["context_method"] = draw.choice(["lss", "ring", "mesh"])
    if degrees["ulysses"] > 1:
        keys["head_groups"] = draw.choice([1, 2])
    if degrees["pipeline"] > 1:
        keys["schedule"] = draw.choice(["gpipe", "1f1b", "zero_bubble"])
        if degrees["pipeline"] == 2 and depth >= 4 and draw.random() < 0.3:
            keys.update(schedule="interleaved", chunks=2)
    return "\n".join(f"{key} = {json.dumps(value)}" for key, value in keys.items())


def case_of(seed):
    draw = random.Random(seed)
    form = draw.choice(list(FORMS))
    data, patches, tokens = FORMS[form]
    depth, steps = draw.randint(3, 5), draw.randint(16, 28)
    count = draw.choices([1, 2], [3, 1])[0]
    layouts = [
        (ranks, layout(draw, ranks, depth)) for ranks in draw.choices([1, 2, 3, 4, 6], [6, 12, 2, 3, 1], k=count)
    ]
    train = {
        "activations": draw.choice(["keep", "recompute", "recompute_but_attention", "offload", "offload"]),
        "moments": draw.choice(["fp32", "fp32", "bf16"]),
        "precision": draw.choice(["fp32", "fp32", "bf16"]) if count == 1 else "fp32",
        "ema": draw.choice([0, 0.9]),
        "seed": draw.randrange(1000),
    }
    if draw.random() < 0.25:
        train["state_in"] = "{scratch}"
    if train["activations"] == "offload" and draw.random() < 0.5:
        train["offload_to"] = "{scratch}"
    if draw.random() < 0.3:
        train["verify_every"] = 7
    recipe = f"""[data]
{data}batch = {BATCH}
[model]
tokens = "{draw.choice(tokens)}"
patch = {draw.choice(patches)}
dim = 32
depth = {depth}
heads = {HEADS}
drop_path = {draw.choice([0, 0.1])}
[train]
steps = {steps}
warmup = 3
lr = 5e-4
threads = 1
{chr(10).join(f"{key} = {json.dumps(value)}" for key, value in train.items())}
[run]
out = "{{out}}"
checkpoint_every = {draw.randint(1, 4)}
keep = {draw.randint(1, 3)}
eval_every = {draw.choice([0, 5])}
eval_samples = 2
watchdog_seconds = 60
"""
    return Case(seed, form, recipe, layouts, steps)
