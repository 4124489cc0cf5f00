"""What must hold after a fault, and at the end of a run."""

import re

from job import checkpoints_of, losses_of, newest_checkpoint
from kinds import LOST

# Words of a crash, or of an error that no check of ours covers.
CRASHES = ("[library]", "[bug]", "terminate called", "Segmentation fault", "Bus error", "Traceback")
ROUNDING = 2e-3  # of losses, between layouts in fp32


def after(trial, kind, job, code, newest):
    """What is wrong after a job that was hit; `newest`: what it had to resume from. kind None: nothing hit it."""
    if code is None:
        return [f"hangs; processes {job.processes()}"]
    found = []
    out, errors = job.out.read_text(), job.err.read_text()
    if not is_right(code, kind.codes if kind else (0,)):
        found.append(f"exit code {code}")
    messages = [line for line in errors.splitlines() if "graticule: [" in line]
    if len(messages) > (code != 0) or (code in (1, 2) and not messages):
        found.append(f"{len(messages)} messages with exit code {code}")
    if kind and messages and kind.words not in messages[0]:
        found.append(f"the message {messages[0]}")
    found += [f"prints {words}" for words in CRASHES if words in out + errors]
    if left := job.left_over():
        found.append(f"leaves the processes {left}")
    return found + checkpoints(trial, out, newest) + losses(trial)


def is_right(code, codes):
    return code in codes or (LOST in codes and code not in (0, 1, 2))


def checkpoints(trial, out, newest):
    found = []
    resumed = re.findall(r"resumes from .*step-(\d+)", out)
    if [int(step) for step in resumed] != [newest] * ("; run folder " in out and newest is not None):
        found.append(f"resumed from {resumed} and not from {newest}")
    log = trial.run / "log.txt"
    told = re.findall(r"checkpoint .*/step-(\d+): .* in ", log.read_text()) if log.exists() else []
    if told and max(map(int, told)) > (newest_checkpoint(trial.run) or 0):
        found.append(f"the checkpoint step-{told[-1]} was written, and {checkpoints_of(trial.run)} are there")
    return found


def losses(trial):
    """Whether the steps so far have the losses of the run that nothing happened to."""
    whole = losses_of(trial.whole)
    for step, (loss, norm) in losses_of(trial.run).items():
        if len(trial.case.layouts) == 1 and (loss, norm) != whole[step]:
            return [f"step {step} has the loss {loss!r} and not {whole[step][0]!r}"]
        if abs(loss - whole[step][0]) > ROUNDING * abs(whole[step][0]):
            return [f"step {step} has the loss {loss!r} and not {whole[step][0]!r}, up to rounding"]
    return []


def at_end(trial):
    """What is wrong with the finished run."""
    found = losses(trial)
    if sorted(losses_of(trial.run)) != list(range(1, trial.case.steps + 1)):
        found.append(f"has the steps {sorted(losses_of(trial.run))}")
    end = f"checkpoints/step-{trial.case.steps}"
    if not (trial.run / end / "manifest.json").exists():
        return [*found, f"no {end}"]
    for file in (trial.whole / end).glob("*.safetensors"):
        if len(trial.case.layouts) == 1 and file.read_bytes() != (trial.run / end / file.name).read_bytes():
            found.append(f"{end}/{file.name} differs from that of the run that nothing happened to")
    if any((trial.run / "checkpoints").glob("*.part")):
        found.append("an unfinished checkpoint remains")
    if list((trial.folder / "scratch").iterdir()):
        found.append("files remain in the folder for state")
    return found
