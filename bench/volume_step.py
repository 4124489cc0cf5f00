"""Times a training step on a volume (task segment) against the same model in plain PyTorch with
scaled_dot_product_attention. One process, fp32. Compares the peak of its tensors with a dry run. On a shared
machine, look at the seconds of the processor.

    OMP_NUM_THREADS=1 .venv/bin/python bench/volume_step.py --layers 64 --rows 128

The program takes its turn, then PyTorch; the first step of each is left out. PyTorch runs only with --plain.
"""

import argparse
import json
import resource
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from masked_step import MODEL, PROGRAM, Block, plain_seconds, seconds_of
from torch import nn
from torch.nn import functional as F

CLASSES = 3
# MODEL ends in the section [train].
RECIPE = """activations = "keep"
[data]
path = "{folder}/image.npy,{folder}/labels.npy"
grid = "volume"
dimensions = ["sample", "layer", "row", "column"]
train = ["0"]
[task]
kind = "segment"
labels = "labels"
classes = {classes}
[run]
out = "{folder}/run"
"""


class Volume(nn.Module):
    """The model of the task segment on a volume."""

    def __init__(self, a, tokens, pixels):
        super().__init__()
        self.embed, self.blocks = (
            nn.Linear(pixels, a.dim),
            nn.Sequential(*(Block(a.dim, a.heads) for _ in range(a.depth))),
        )
        self.norm, self.out = nn.LayerNorm(a.dim), nn.Linear(a.dim, CLASSES * pixels)
        self.place = nn.Parameter(torch.randn(tokens, a.dim) * 0.02, False)

    def forward(self, x_SP):
        return self.out(self.norm(self.blocks((self.embed(x_SP) + self.place)[None])[0])).unflatten(1, (CLASSES, -1))


def loss_of(logits_SCP, truth_SP):
    """Cross-entropy and Dice, as docs/tasks.md has them."""
    p = logits_SCP.softmax(1)
    truth = F.one_hot(truth_SP, CLASSES).transpose(1, 2).to(p)
    dice = (2 * (p * truth).sum((0, 2)) + 1) / (p.sum((0, 2)) + truth.sum((0, 2)) + 1)
    return F.cross_entropy(logits_SCP, truth_SP) + 1 - dice.mean()


def program_step(arguments, folder):
    """Seconds of a step, of the clock and of a processor (with the start), peak of tensors, dry run's peak; in MiB."""
    recipe = folder / "recipe.toml"
    sizes = {**vars(arguments), "patch": list(arguments.patch)}
    recipe.write_text((MODEL + RECIPE).format(folder=folder, classes=CLASSES, **sizes))
    dry = subprocess.run(
        [PROGRAM, "plan", recipe, "--ranks", "1", "--dry-run", "0", "--json"], check=True, capture_output=True
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run([PROGRAM, "train", recipe], check=True, capture_output=True)
    processor = (resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before) / arguments.steps
    peak = json.loads((folder / "run" / "cost.json").read_text())["memory"]["peak_bytes"]
    return seconds_of(folder / "run"), processor, peak / 2**20, json.loads(dry.stdout)["peak_bytes"] / 2**20


def torch_step(arguments, x_SP, truth_SP):
    model, before = Volume(arguments, *x_SP.shape), time.process_time()
    seconds = plain_seconds(model, arguments.steps, lambda: loss_of(model(x_SP), truth_SP))
    return seconds, (time.process_time() - before) / arguments.steps


def patches(volume, patch):
    """[layers, rows, columns] -> [tokens, pixels]."""
    sides = [size for n, p in zip(volume.shape, patch, strict=True) for size in (n // p, p)]
    return torch.tensor(volume).view(sides).permute(0, 2, 4, 1, 3, 5).reshape(-1, int(np.prod(patch)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in {"layers": 64, "rows": 128, "dim": 128, "depth": 2, "heads": 2}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--patch", type=int, nargs=3, default=[2, 4, 4])
    parser.add_argument("--steps", type=int, default=3, help="steps of each turn; the first does not count")
    parser.add_argument("--plain", action="store_true", help="PyTorch too")
    arguments = parser.parse_args()
    random = np.random.default_rng(0)
    image = random.normal(size=(arguments.layers, arguments.rows, arguments.rows)).astype("f4")
    labels = random.integers(0, CLASSES, image.shape).astype("u1")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "image.npy", image[None])
        np.save(folder / "labels.npy", labels[None])
        seconds, processor, peak, dry = program_step(arguments, folder)
        x_SP = patches(image, arguments.patch)
        print(f"{len(x_SP)} tokens: {seconds:.2f} s a step, {processor:.2f} s of a processor")
        print(f"{peak:.0f} MiB of tensors, dry run {dry:.0f} MiB", flush=True)
        if arguments.plain:
            plain, busy = torch_step(arguments, x_SP, patches(labels, arguments.patch).long())
            print(f"PyTorch {plain:.2f} s, {busy:.2f} s of a processor: {busy / processor:.2f} times as long")


if __name__ == "__main__":
    main()
