"""Tests attention over process groups: the cases of ranks_attention.py, with Gloo between two to five processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from command import ENVIRONMENT, ROOT

HERE = Path(__file__).parent


def torchrun(ranks, *arguments):
    """Runs a program of this folder on `ranks` ranks."""
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)]
    paths = {"PYTHONPATH": os.pathsep.join([str(ROOT / "python"), str(HERE)])}
    command = [sys.executable, *launch, *arguments]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=240, env={**ENVIRONMENT, **paths})
    assert done.returncode == 0, done.stderr[-4000:]


@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
def test_schemes_equal_one_process(ranks):
    torchrun(ranks, "ranks_attention.py", "schemes", "groups")


def test_dtypes_models_and_derivatives():
    torchrun(2, "ranks_attention.py", "dtypes", "models", "without_gradients", "second_derivatives")


def test_bad_input_is_one_error_on_every_rank():
    torchrun(3, "ranks_attention.py", "bad_input")
