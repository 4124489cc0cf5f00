"""Compares a whole training step over a million tokens with fp64: its loss and the gradient of every weight.

  PYTHONPATH=python .venv/bin/python bench/million_step.py [--recipe RECIPE] [--set KEY=VALUE ...]

`graticule train` makes one step of the recipe, whose model has one block. The data are the recipe's, but their targets
are missing (weight 0 in the loss) everywhere except in `--patches` patches of each variable. So the loss depends on a
few queries, each over all keys, and plain PyTorch can compute loss and gradients in fp64: the queries' rows of
attention, and through them the keys and values of all tokens. The program does the work of a usual step. Its gradient
is what AdamW's first moment holds after the step, divided by 1 - beta1.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import numpy as np
import torch
import xarray
from safetensors.torch import load_file
from torch.nn import functional as F

from graticule import exported

ROOT = Path(__file__).resolve().parents[1]

PROGRAM = ROOT / "build/release/graticule"
BETA = 0.9
# One step that leaves the weights as they are, without a limit to the gradient.
STEP = f"train.steps=1 train.lr=1e-30 train.warmup=0 train.clip=0 train.beta1={BETA} train.moments=fp32 data.batch=1"


def run(*words):
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, words))}\n{done.stdout}{done.stderr}")
    return done.stdout


def synthetic(source, folder):
    """Two states, a lead apart, of invented data such as synthetic:rows=16,columns=32,variables=4,times=40."""
    pairs = [pair.split("=") for pair in source.removeprefix("synthetic:").split(",")]
    sizes = [word for key, value in pairs if key != "times" for word in (f"--{key}", value)]
    run(PROGRAM, "data", "synth", folder / "whole.nc", *sizes, "--times", 5)
    with xarray.open_dataset(folder / "whole.nc") as data:
        return data.isel(time=[0, 4]).load()


def hide_targets(data, patch, count, seed):
    """Makes all targets missing but those of `count` patches of each variable."""
    rows, columns = data.sizes["latitude"] // patch, data.sizes["longitude"] // patch
    keep = np.zeros((rows, columns), bool)
    keep.flat[np.random.default_rng(seed).choice(rows * columns, count, replace=False)] = True
    keep = keep.repeat(patch, 0).repeat(patch, 1)
    for values in (values for values in data.values() if "time" in values.dims):
        values.values[1] = np.where(keep, values.values[1], np.nan)


def read_fields(data, names):
    """Both states, [2, V, rows, columns]; a constant field is the same in both."""
    parts = []
    for name in names:
        name, _, level = name.partition("@")
        values = data[name].sel(level=int(level)) if level else data[name]
        values = values.values if "time" in values.dims else values.values[None]
        parts.append(torch.from_numpy(values).double().expand(2, -1, -1))
    return torch.stack(parts, 1)


def told_rows(w, model, fields, rows):
    """What the tokens `rows` say, [rows, pixels of a patch]: the model of docs/model.md with one block."""
    x = exported.embed(w, model, fields, 24)
    q, k, v = exported.queries_keys_values(w, model, exported.norm(w, x, "blocks.0.norm1"), "blocks.0.attention")
    mixed = torch.einsum("hts,shd->thd", exported.weigh(q[rows], k), v).flatten(1)
    x = x[rows] + F.linear(mixed, w["blocks.0.attention.out.weight"], w["blocks.0.attention.out.bias"])
    h = exported.norm(w, x, "blocks.0.norm2")
    h = F.gelu(F.linear(h, w["blocks.0.mlp.fc1.weight"], w["blocks.0.mlp.fc1.bias"]))
    x = x + F.linear(h, w["blocks.0.mlp.fc2.weight"], w["blocks.0.mlp.fc2.bias"])
    x = exported.norm(w, x, "head.norm")
    variable = rows // math.prod(exported.places_of(model))
    return torch.einsum("tc,tpc->tp", x, w["head.out.weight"][variable]) + w["head.out.bias"][variable]


def in_fp64(file, data, patches):
    """Loss and gradients of the few tokens whose targets count."""
    weights, model, statistics = exported.read(file)
    weights = {name: value.double().requires_grad_() for name, value in weights.items()}
    now, later = read_fields(data, model["variables"])
    change = exported.by_variable(model, lambda v: statistics["variables"][v]["difference_deviation"]["24"])
    wanted = exported.patches(model, (later - now) / change).flatten(0, 1)
    is_target = exported.is_target(model).flatten().repeat_interleave(math.prod(exported.places_of(model)))
    rows = torch.nonzero(is_target & ~wanted.isnan().any(1)).flatten()
    assert len(rows) == patches * len(model["targets"]), f"{len(rows)} tokens have a target"
    edges = np.deg2rad([-90, *(np.array(model["latitudes"])[1:] + np.array(model["latitudes"])[:-1]) / 2, 90])
    area = torch.from_numpy(np.diff(np.sin(edges)))[None, :, None].expand(now.shape)
    area = exported.patches(model, area).flatten(0, 1)[rows]
    told = told_rows(weights, model, exported.normalise(now, model, statistics), rows)
    loss = (area * (told - wanted[rows]) ** 2).sum() / area.sum()
    loss.backward()
    return len(rows), loss.item(), {name: w.grad for name, w in weights.items() if w.grad is not None}


def in_program(checkpoint):
    """The gradient of the step by weight: AdamW's first moment after it. Flat tensors lie in pieces, one a file."""
    manifest = json.loads((checkpoint / "manifest.json").read_text())
    files = {file["name"]: load_file(checkpoint / file["name"]) for file in manifest["files"]}
    found = {}
    for flat in manifest["flats"]:
        pieces = [files[file].get(flat["flat"] + ".moment1") for file in flat["files"]]
        values = torch.cat([piece for piece in pieces if piece is not None]) / (1 - BETA)
        for parameter in flat["parameters"]:
            count = math.prod(parameter["shape"])
            found[parameter["name"]], values = values[:count].view(parameter["shape"]).double(), values[count:]
    return found


def groups(names):
    """What is compared: all weights, and those that only attention's backward reaches."""
    inner = [name for name in names if ".attention." in name and ".out." not in name]
    return {"all weights": list(names), "weights of queries, keys and values": inner}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", type=Path, default=ROOT / "recipes/tiny_1048576_laptop.toml")
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--set", nargs="*", default=[], help="as of graticule train")
    parser.add_argument("--data", help="instead of the recipe's invented data: synthetic:rows=...")
    parser.add_argument("--patches", type=int, default=3, help="whose targets count, of each variable (3)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    recipe = tomllib.loads(options.recipe.read_text())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = synthetic(options.data or recipe["data"]["path"], folder)
        hide_targets(data, recipe["model"]["patch"], options.patches, options.seed)
        data.to_netcdf(folder / "data.nc")
        told = json.loads(run(PROGRAM, "data", "info", options.data or recipe["data"]["path"], "--json"))
        names = json.dumps([variable["name"] for variable in told["variables"]])
        settings = [f"data.path={folder}/data.nc", f"data.variables={names}", f"run.out={folder}/run"]
        settings += [*STEP.split(), "data.missing=mean", *options.set]
        words = [word for setting in settings for word in ("--set", setting)]
        mpiexec = ROOT / ".venv/bin/mpiexec"
        run(mpiexec, "-n", options.ranks, PROGRAM, "train", options.recipe, "--memory", *words)
        run(PROGRAM, "export", folder / "run", folder / "weights.safetensors")
        step = json.loads((folder / "run/metrics.jsonl").read_text().splitlines()[0])
        print(f"the program: {step['step_s']:.1f} s a step, loss {step['loss']:.7g}", flush=True)
        count, loss, expected = in_fp64(folder / "weights.safetensors", data, options.patches)
        found = in_program(folder / "run/checkpoints/step-1")
    print(f"fp64: loss {loss:.7g}, {count} tokens with a target; the losses differ by {step['loss'] / loss - 1:.1e}")
    for title, names in groups(expected).items():
        mine, theirs = (torch.cat([of[name].flatten() for name in names]) for of in (found, expected))
        error = (mine - theirs).norm() / theirs.norm()
        print(f"gradient of {title}: norm {theirs.norm():.4g}, norm of the error / norm {error:.1e}")


if __name__ == "__main__":
    main()
