"""Runs docs/parallelize.ipynb cell by cell: each cell prints what the notebook shows."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

from sources import ROOT

if not find_spec("timm"):
    pytest.skip("timm is not installed", allow_module_level=True)

NOTEBOOK = ROOT / "docs" / "parallelize.ipynb"
RANKS = ROOT / "tests" / "python" / "ranks"
RUN = """
import contextlib, io, json, sys
namespace, printed = {"__name__": "__main__"}, []
for cell in json.loads(open(sys.argv[1]).read())["cells"]:
    if cell["cell_type"] == "code":
        with contextlib.redirect_stdout(io.StringIO()) as said:
            exec("".join(cell["source"]), namespace)
        printed.append(said.getvalue())
print(json.dumps(printed))
"""


def test_each_cell_prints_what_the_notebook_shows(tmp_path):
    path = os.pathsep.join([str(ROOT / "python"), str(RANKS)])
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1"}
    run = subprocess.run(
        [sys.executable, "-c", RUN, NOTEBOOK],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    cells = [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
    shown = ["".join(line for output in cell["outputs"] for line in output["text"]) for cell in cells]
    assert json.loads(run.stdout.splitlines()[-1]) == shown and any("True" in text for text in shown)
