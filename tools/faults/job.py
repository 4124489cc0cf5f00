"""A job of the program: starts it, finds its processes, watches how far it is."""

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "build" / "release" / "graticule"
MPIEXEC = ROOT / ".venv" / "bin" / "mpiexec"
TAG = "GRATICULE_FAULTS_JOB"


class Job:
    """Runs `command`; what it prints goes to files in `folder`. All its processes have the tag in their environment."""

    number = 0

    def __init__(self, command, folder, environment=None):
        Job.number += 1
        self.tag = f"{TAG}={os.getpid()}.{Job.number}"
        name, value = self.tag.split("=")
        variables = {**os.environ, "OMP_NUM_THREADS": "1", name: value, **(environment or {})}
        self.out, self.err = folder / "out.txt", folder / "err.txt"
        self.begin = time.time()
        with open(self.out, "w") as out, open(self.err, "w") as err:
            self.process = subprocess.Popen(
                list(map(str, command)), stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=variables
            )

    def runs(self):
        return self.process.poll() is None

    def processes(self):
        """The names of all its living processes by their number."""
        found = {}
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and self.tag.encode() in (entry / "environ").read_bytes().split(b"\0"):
                    found[int(entry.name)] = (entry / "comm").read_text().strip()
        return found

    def ranks(self):
        """The processes that train: those of the program, but not the one that started them (--restarts)."""
        mine = [pid for pid, name in self.processes().items() if name == PROGRAM.name]
        return sorted(pid for pid in mine if pid != self.process.pid) or mine

    def starts(self):
        """How often the program has begun with the steps: more than once with --restarts."""
        return self.out.read_text().count("; run folder ")

    def wait(self, limit):
        """The exit code, negative for a signal; None: it runs longer than `limit` seconds."""
        try:
            return self.process.wait(limit)
        except subprocess.TimeoutExpired:
            return None

    def left_over(self, patience=10):
        """The processes that remain `patience` seconds after the end."""
        for _ in range(patience * 10):
            if not self.processes():
                return {}
            time.sleep(0.1)
        return self.processes()

    def end(self):
        """Kills whatever is left."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


def lines_of(file):
    """The JSON lines of a file; a last line that is not complete is left out."""
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text().split("\n")[:-1] if line]


def losses_of(run):
    """The loss and the gradient's norm of each step."""
    lines = lines_of(run / "metrics.jsonl")
    return {line["step"]: (line["loss"], line["grad_norm"]) for line in lines if "grad_norm" in line}


def last_step(run):
    return max(losses_of(run), default=0)


def checkpoints_of(run):
    """The steps of the complete checkpoints."""
    names = [path.name for path in (run / "checkpoints").glob("step-*") if (path / "manifest.json").exists()]
    return sorted(int(name[5:]) for name in names if name[5:].isdigit())


def newest_checkpoint(run):
    return max(checkpoints_of(run), default=None)
