"""Tests a part of `make faults`: small random trainings are killed, starved and stopped, and go on exactly."""

import re
import subprocess
import sys

from command import ROOT
from seed import SEED


def test_trainings_go_on_after_faults(tmp_path):
    command = [sys.executable, ROOT / "tools" / "faults" / "run.py", "--kills", "16", "--minutes", "1.5"]
    command += ["--first", str(1000 * SEED), "--out", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    made = int(re.search(r"\| all, in \d+ runs \| \d+ \| (\d+) \|", done.stdout)[1])
    assert made > 0, done.stdout
