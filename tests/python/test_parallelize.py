"""Tests graticule.parallelize under torchrun: models of timm, of transformers and of one's own over two ranks, each
equal to one rank in its loss and every gradient. The programs that the ranks run are in `ranks/`."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

from sources import ROOT

if not all(find_spec(package) for package in ("torch", "timm", "transformers")):
    pytest.skip("timm and transformers are not installed", allow_module_level=True)

RANKS = ROOT / "tests" / "python" / "ranks"
LARGEST = 2e-5  # relative, in fp32


def torchrun(*command, ranks=2, timeout=300):
    """Runs a Python program on some ranks of this machine."""
    path = os.pathsep.join([str(ROOT / "python"), str(RANKS)])
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore::FutureWarning"}
    environment["PYTHONFAULTHANDLER"] = "1"  # a rank that aborts tells where
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)]
    return subprocess.run(
        [*start, *map(str, command)], env=environment, capture_output=True, text=True, timeout=timeout
    )


def is_right(result):
    """True, or a difference [how much, of what] that is rounding."""
    return result is True or (isinstance(result, list) and result[0] < LARGEST)


@pytest.mark.parametrize(
    ("program", "ranks", "cases"),
    [("timm_models", 2, 27), ("transformers_models", 2, 19), ("behaviour", 2, 32), ("data_parallel", 4, 3)],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_ranks_equal_one_rank(program, ranks, cases):
    run = torchrun(RANKS / f"{program}.py", ranks=ranks)
    assert run.returncode == 0, run.stderr
    results = [json.loads(line) for line in run.stdout.splitlines() if line.startswith('{"case"')]
    wrong = {result["case"]: result["ranks"] for result in results if not all(map(is_right, result["ranks"]))}
    assert not wrong, json.dumps(wrong, indent=1).replace("\\n", "\n")
    assert len(results) == cases, run.stdout


def test_threads_end_with_the_process_group():
    run = torchrun(RANKS / "destroyed.py")
    assert run.returncode == 0, run.stderr
    lines = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("[[")]
    assert len(lines) == 2, run.stdout
    for before, after, messages in lines:
        assert before, "Gloo's threads were not found"
        assert after == []
        assert all("call destroy_process_group after" in message for message in messages), messages


def test_a_program_without_ranks_is_told_what_to_do():
    graticule = pytest.importorskip("graticule")
    with pytest.raises(ValueError, match="start the program with torchrun"):
        graticule.parallelize(None)
