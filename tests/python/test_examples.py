"""Runs every example from an empty folder, with the built program."""

import os
import subprocess
import sys

import pytest

from sources import ROOT

EXAMPLES = sorted([*(ROOT / "examples").glob("*.py"), *(ROOT / "examples").glob("*.sh")])
PROGRAMS = [ROOT / "build" / "release", ROOT / ".venv" / "bin"]
PATHS = [ROOT / "python", ROOT / "tests" / "python" / "ranks"]  # the second: a PyTorch for CPUs beside torchvision
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def interpreter(example):
    if "torchrun" in example.read_text():
        return TORCHRUN
    return [sys.executable] if example.suffix == ".py" else ["bash"]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_example_runs(example, tmp_path):
    path = os.pathsep.join([*map(str, PROGRAMS), os.environ["PATH"]])
    python = os.pathsep.join(map(str, PATHS))
    environment = os.environ | {"PATH": path, "PYTHONPATH": python, "OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [*interpreter(example), example], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, f"{run.stdout}\n{run.stderr}"
