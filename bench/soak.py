"""Trains for a long time and looks for what grows: resident memory, open files, seconds of a step.

    .venv/bin/python bench/soak.py [--minutes 120] [--kills 2] [--folder FOLDER]

It needs the built program.

One rank trains a small model under `--restarts`, evaluates every 20 steps and writes a checkpoint every 10. It is
killed --kills times, evenly spread over the first half. A reader beside it reads metrics.jsonl all the time. Once a
second the resident memory, the open files and the processor time of the rank are noted. The figures are of the last
life, which has half of the time: of its first and its last quarter, without the first minute. A step's time is the
rank's processor time divided by its steps, because other work of the machine does not change it much.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[1] / "build/release/graticule"
WARM_UP = 60  # seconds
RECIPE = """
[data]
path = "synthetic:rows=16,columns=24,variables=6,times=400"
train = ["2001-01-01", "2001-03-01"]
valid = ["2001-03-05", "2001-03-30"]
batch = 2
[model]
dim = 64
depth = 4
heads = 4
[train]
steps = 10000000
ema = 0.99
threads = 1
verify_every = 50
[run]
out = "{out}"
checkpoint_every = 10
eval_every = 20
eval_samples = 2
"""


def child_of(process):
    """The rank: the child of the process that starts it again; None between two lives."""
    found = subprocess.run(["pgrep", "-P", str(process.pid), "-x", "graticule"], capture_output=True, text=True).stdout
    return int(found.split()[0]) if found else None


def look_at(pid):
    """Resident KiB, open files and seconds of the processor of a process; None if it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
        times = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        files = len(os.listdir(f"/proc/{pid}/fd"))
    except (OSError, StopIteration):
        return None
    return resident, files, sum(map(int, times[11:13])) / os.sysconf("SC_CLK_TCK")


class Reader:
    """Reads the new lines of a growing file."""

    def __init__(self, path):
        self.path, self.step, self.read = path, 0, 0

    def look(self):
        if not self.path.exists():
            return
        if self.path.stat().st_size < self.read:  # lines of left steps were moved away
            self.read = 0
        with open(self.path) as file:
            file.seek(self.read)
            for line in file.read().splitlines(keepends=True):
                if not line.endswith("\n"):
                    break
                self.read += len(line)
                self.step = json.loads(line).get("step", self.step)


def watch(process, run, options):
    """What was seen of the last life: (seconds, resident KiB, files, processor seconds, step), once a second."""
    begin, kills, seen, rank, reader = time.monotonic(), 0, [], None, Reader(run / "metrics.jsonl")
    while (now := time.monotonic() - begin) < 60 * options.minutes:
        time.sleep(1)
        if process.poll() is not None:
            raise SystemExit(f"the training ended with {process.returncode}")
        reader.look()
        if rank is None or look_at(rank) is None:
            rank, seen = child_of(process), []
        if kills < options.kills and now > 30 * options.minutes * (kills + 1) / options.kills and rank:
            os.kill(rank, signal.SIGKILL)
            kills += 1
        elif rank and (state := look_at(rank)):
            seen.append((now, *state, reader.step))
    return [one for one in seen if one[0] > seen[0][0] + WARM_UP]


def tell(seen):
    quarter = len(seen) // 4
    first, last = seen[:quarter], seen[-quarter:]

    def row(name, function, unit):
        before, after = function(first), function(last)
        print(f"| {name} | {before:.5g} {unit} | {after:.5g} {unit} | {100 * (after / before - 1):+.2f} % |")

    print("| of the last life | first quarter | last quarter | change |\n|---|---|---|---|")
    row("resident memory", lambda part: statistics.median(one[1] for one in part) / 1024, "MiB")
    row("largest resident memory", lambda part: max(one[1] for one in part) / 1024, "MiB")
    row("open files, most", lambda part: max(one[2] for one in part), "")
    row(
        "processor time of a step",
        lambda part: 1000 * (part[-1][3] - part[0][3]) / (part[-1][4] - part[0][4]),
        "ms",
    )
    print(
        f"\n{seen[-1][4]} steps in all, {seen[-1][4] - seen[0][4]} in the last life ({seen[-1][0] - seen[0][0]:.0f} s)"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="for the run (default: the system's for temporary files)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        recipe, run = folder / "recipe.toml", folder / "run"
        recipe.write_text(RECIPE.format(out=run))
        command = [str(PROGRAM), "train", str(recipe), "--restarts", str(options.kills + 1)]
        with open(folder / "out.txt", "w") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
            try:
                tell(watch(process, run, options))
            finally:
                process.terminate()


if __name__ == "__main__":
    main()
