"""Times a training step of masked autoencoding (task reconstruct) against the same model that reads all tokens, and
against plain PyTorch with scaled_dot_product_attention. One process, fp32.

    OMP_NUM_THREADS=1 .venv/bin/python bench/masked_step.py --side 1024 --patch 4 --dim 128 --depth 2

The program and PyTorch take turns; the first step of each is left out. Prints seconds and ratios.
"""

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

PROGRAM = Path(__file__).resolve().parents[1] / "build/release/graticule"
MODEL = """
[model]
patch = {patch}
tokens = "channels"
dim = {dim}
depth = {depth}
heads = {heads}
place = "added"
qk_norm = "none"
qk_variables = false
[train]
steps = {steps}
threads = 1
"""
RECIPE = """
[data]
path = "{folder}/image.npy"
grid = "plane"
dimensions = ["sample", "row", "column"]
train = ["0"]
[task]
kind = "reconstruct"
masked = {masked}
decoder_dim = {decoder}
decoder_depth = 1
decoder_heads = 1
[run]
out = "{folder}/run_{masked}"
"""


class Block(nn.Module):
    """A pre-norm transformer block, as docs/model.md has it with place = "added"."""

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.fc1, self.fc2 = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

    def forward(self, x):
        q, k, v = self.qkv(self.norm1(x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        x = x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return x + self.fc2(F.gelu(self.fc1(self.norm2(x))))


class Masked(nn.Module):
    """The model of the task reconstruct."""

    def __init__(self, arguments, tokens):
        super().__init__()
        a, pixels = arguments, arguments.patch**2
        self.embed, self.blocks = nn.Linear(pixels, a.dim), nn.ModuleList(Block(a.dim, a.heads) for _ in range(a.depth))
        self.norm, self.project = nn.LayerNorm(a.dim), nn.Linear(a.dim, a.decoder)
        self.hidden, self.decoder = nn.Parameter(torch.randn(a.decoder) * 0.02), Block(a.decoder, 1)
        self.last, self.out = nn.LayerNorm(a.decoder), nn.Linear(a.decoder, pixels)
        self.places = nn.ParameterList(nn.Parameter(torch.randn(tokens, d) * 0.02, False) for d in (a.dim, a.decoder))

    def forward(self, patches_SP, visible):
        x = self.embed(patches_SP[visible]) + self.places[0][visible]
        for block in self.blocks:
            x = block(x[None])[0]
        y = self.hidden.expand(len(patches_SP), -1).index_copy(0, visible, self.project(self.norm(x)))
        return self.out(self.last(self.decoder((y + self.places[1])[None])[0]))


def seconds_of(run):
    """Seconds of a step of the program, the median without the first."""
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return statistics.median([row["step_s"] for row in map(json.loads, lines) if "step_s" in row][1:])


def plain_seconds(model, steps, loss):
    """The same of PyTorch. `loss` calls the model on one sample."""
    torch.set_num_threads(1)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    seconds = []
    for _ in range(steps):
        start = time.perf_counter()
        optimizer.zero_grad()
        loss().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1)
        optimizer.step()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])


def program_step(arguments, folder, masked):
    recipe = folder / f"{masked}.toml"
    recipe.write_text((MODEL + RECIPE).format(folder=folder, masked=masked, **vars(arguments)))
    subprocess.run([PROGRAM, "train", recipe], check=True, capture_output=True)
    return seconds_of(folder / f"run_{masked}")


def torch_step(arguments, patches_SP, masked):
    tokens = len(patches_SP)
    model = Masked(arguments, tokens)

    def loss():
        order = torch.randperm(tokens)
        visible, hidden = order[round(masked * tokens) :].sort()[0], order[: round(masked * tokens)]
        return F.mse_loss(model(patches_SP, visible)[hidden], patches_SP[hidden])

    return plain_seconds(model, arguments.steps, loss)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in {"side": 1024, "patch": 4, "dim": 128, "depth": 2, "heads": 2, "decoder": 16}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--steps", type=int, default=3, help="steps of each turn; the first does not count")
    parser.add_argument("--no-full", action="store_true", help="leave out the model that reads all tokens")
    arguments = parser.parse_args()
    image = np.random.default_rng(0).normal(size=(1, arguments.side, arguments.side)).astype("f4")
    n, p = arguments.side // arguments.patch, arguments.patch
    patches = torch.tensor(image).view(n, p, n, p).transpose(1, 2).reshape(n * n, p * p)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "image.npy", image)
        masked = program_step(arguments, folder, 0.75)
        plain = torch_step(arguments, patches, 0.75)
        print(f"{n * n} tokens, 75 % masked: {masked:.2f} s, PyTorch {plain:.2f} s, ratio {masked / plain:.2f}")
        if not arguments.no_full:
            full = program_step(arguments, folder, 1 / (n * n))  # one token is hidden
            print(f"all tokens read: {full:.2f} s; masked / full {masked / full:.3f}")


if __name__ == "__main__":
    main()
