"""Measures what a checkpoint costs training, how fast it is written, and how long another layout takes to read it.

    .venv/bin/python bench/checkpoint_speed.py [--preset 115m] [--rounds 3] [--folder FOLDER]

It needs the built program and the package safetensors, and 8 GB of memory and of disk. All sides write as many bytes of
fp32 (weights and two moments of AdamW) to FOLDER, in turns, and sync them:

- graticule, in the background: "checkpoint ... in A s, of which training waited B s" of the run's log, and the time of
  the steps meanwhile;
- graticule, blocking: the same line of the run's last checkpoint, after which no step comes. It takes no copy;
- torch.distributed.checkpoint.async_save, one process, Gloo: the time until it returns, and until its future is done;
- safetensors.torch.save_file, and fsync.

A restored run is timed until it names its run folder, when it has all its weights; a run from nothing is subtracted.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROGRAM, MPIEXEC = ROOT / "build/release/graticule", ROOT / ".venv/bin/mpiexec"
STEPS, SAVED = 9, 4  # a checkpoint after step 4 in the background, and the blocking one after step 9
RECIPE = """
[data]
path = "synthetic:rows=8,columns=12,variables=6,times=40"
train = ["2001-01-01", "2001-01-08"]
[model]
preset = "{preset}"
[train]
steps = {steps}
[run]
out = "{out}"
checkpoint_every = {every}
keep = 9
"""
LAYOUTS = {
    "1 rank, as written": (1, []),
    "2 ranks, shard full": (2, ["data=1", "ulysses=2", "shard='full'"]),
    "2 ranks, tensor": (2, ["tensor=2"]),
    "2 ranks, pipeline": (2, ["pipeline=2"]),
}


def train(folder, preset, steps=STEPS, ranks=1, resume=False, layout=()):
    """Trains. Returns the run folder, and the seconds until the program named it."""
    recipe, run = folder / "recipe.toml", folder / "run"
    recipe.write_text(RECIPE.format(preset=preset, steps=steps, out=run, every=SAVED))
    command = [*([MPIEXEC, "-n", ranks] if ranks > 1 else []), PROGRAM, "train", recipe, *["--resume", "auto"] * resume]
    command += [word for key in layout for word in ("--set", f"parallel.{key}")]
    begin, ready = time.perf_counter(), None
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if "; run folder " in line:
                ready = time.perf_counter() - begin
    if process.returncode:
        raise SystemExit(f"graticule ended with {process.returncode}")
    return run, ready


def ours(folder, preset):
    """Seconds of writing and of waiting, in the background and blocking; seconds of steps without and with writing."""
    os.sync()
    run, _ = train(folder, preset)
    log = (run / "log.txt").read_text()
    lines = re.findall(r"step-(\d+): .* in ([\d.]+) s, of which training waited ([\d.]+) s", log)
    found = {int(step): (float(seconds), float(waited)) for step, seconds, waited in lines}
    steps = [json.loads(line)["step_s"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    alone = statistics.median(steps[1:SAVED])
    slower, elapsed = 0.0, 0.0
    for seconds in steps[SAVED:]:  # those that ran while the file was written
        if elapsed < found[SAVED][0]:
            slower += max(0.0, seconds - alone)
            elapsed += seconds
    weights = sum(path.stat().st_size for path in (run / f"checkpoints/step-{SAVED}").glob("*.safetensors"))
    return {"bytes": weights, "background": found[SAVED], "blocking": found[STEPS], "step": alone, "slower": slower}


def tensors_of(size):
    """Weights and moments of a model: tensors of 16 MiB and a rest."""
    import torch

    sizes = [1 << 22] * (size // (1 << 24)) + [size % (1 << 24) // 4]
    return {f"tensor {i}": torch.randn(n) for i, n in enumerate(sizes)}


def async_save(folder, tensors):
    """Seconds until torch.distributed.checkpoint returns, and until all is on the disk."""
    import torch.distributed as dist
    import torch.distributed.checkpoint as dcp

    if not dist.is_initialized():
        dist.init_process_group("gloo", init_method="tcp://127.0.0.1:29517", rank=0, world_size=1)
    begin = time.perf_counter()
    future = dcp.async_save(tensors, storage_writer=dcp.FileSystemWriter(folder / "dcp"))
    returned = time.perf_counter() - begin
    future.result()
    return time.perf_counter() - begin, returned


def save_file(folder, tensors):
    from safetensors.torch import save_file

    begin = time.perf_counter()
    save_file(tensors, folder / "peer.safetensors")
    with open(folder / "peer.safetensors", "rb") as file:
        os.fsync(file.fileno())
    seconds = time.perf_counter() - begin
    return seconds, seconds


def restore(folder, preset):
    """Seconds that each layout takes to read the checkpoint of one rank, without starting the program."""
    found = {}
    for name, (ranks, layout) in LAYOUTS.items():
        fresh, again = folder / "fresh", folder / "again"
        fresh.mkdir()
        _, without = train(fresh, preset, 1, ranks, layout=layout)
        shutil.copytree(folder / "run", again / "run")
        _, ready = train(again, preset, STEPS, ranks, True, layout)  # nothing is left to train
        found[name] = (ready, ready - without)
        shutil.rmtree(fresh)
        shutil.rmtree(again)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="115m")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="on the disk that is measured (default: the system's)")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    sides = {"graticule, background": [], "graticule, blocking": [], "torch async_save": [], "safetensors": []}
    for turn in range(options.rounds):
        with tempfile.TemporaryDirectory(dir=options.folder) as name:
            folder = Path(name)
            mine = ours(folder, options.preset)
            sides["graticule, background"].append(mine["background"])
            sides["graticule, blocking"].append(mine["blocking"])
            print(f"round {turn}: a step {mine['step']:.2f} s; writing made steps {mine['slower']:.2f} s longer")
            tensors = tensors_of(mine["bytes"])
            for side, save in (("torch async_save", async_save), ("safetensors", save_file)):
                os.sync()  # what was written before is not this side's work
                sides[side].append(save(folder, tensors))
            if turn == options.rounds - 1:
                for layout, (ready, read) in restore(folder, options.preset).items():
                    print(f"restored by {layout}: ready after {ready:.1f} s, {read:.1f} s more than a new run")
    print(f"\n{mine['bytes'] / 1e9:.2f} GB; median of {options.rounds} rounds\n")
    print("| side | on the disk after | GB/s | training waits |\n|---|---|---|---|")
    for side, times in sides.items():
        written, waited = (statistics.median(column) for column in zip(*times, strict=True))
        print(f"| {side} | {written:.2f} s | {mine['bytes'] / written / 1e9:.2f} | {waited:.2f} s |")


if __name__ == "__main__":
    main()
