"""Runs every example from an empty folder, with the built program."""

import os
import subprocess
import sys

import pytest

from sources import ROOT

EXAMPLES = sorted([*(ROOT / "examples").glob("*.py"), *(ROOT / "examples").glob("*.sh")])
PROGRAMS = [ROOT / "build" / "release", ROOT / ".venv" / "bin"]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_example_runs(example, tmp_path):
    path = os.pathsep.join([*map(str, PROGRAMS), os.environ["PATH"]])
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT / "python"), "OMP_NUM_THREADS": "1"}
    interpreter = sys.executable if example.suffix == ".py" else "bash"
    run = subprocess.run(
        [interpreter, example], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, f"{run.stdout}\n{run.stderr}"
