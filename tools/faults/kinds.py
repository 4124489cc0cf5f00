"""The kinds of faults: how each is made, and what the job may do about it."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

import machine

# An exit code that is none of the program's own: the launcher's, or a signal. After an error of one rank mpiexec may
# tell of the signal by which it ended the others.
LOST = "lost"


@dataclass(frozen=True)
class Kind:
    """`strike(trial, job, draw)` makes the fault; `mend(trial)` takes it away before the next job."""

    strike: Callable
    codes: tuple  # exit codes that are right
    words: str = ""  # what a message must have
    mend: Callable = lambda trial: None
    possible: Callable = lambda trial: True
    ranks: int = 1  # the fewest ranks
    early: bool = True  # it may come before the first step
    watchdog: int | None = None  # seconds, in place of the recipe's
    group: bool = False  # the job runs in a group whose memory is limited
    clock: bool = False  # the job sees a clock that can be set


def kill(pid, number=signal.SIGKILL):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def rank(trial, job, draw):
    kill(draw.choice(job.ranks()))


def all_ranks(trial, job, draw):
    for pid in job.ranks():
        kill(pid)


def launcher(trial, job, draw):
    for pid, name in job.processes().items():
        if name.startswith("mpiexec"):
            kill(pid)


def node(trial, job, draw):
    """The launcher and its daemon."""
    for pid, name in job.processes().items():
        if name.startswith(("mpiexec", "hydra")):
            kill(pid)


def memory(trial, job, draw):
    trial.memory.use_up()


def stop(trial, job, draw):
    kill(draw.choice(job.ranks()), signal.SIGSTOP)


def pause(trial, job, draw):
    """All ranks stand still for longer than the watchdog allows, and go on."""
    ranks = job.ranks()
    for number, seconds in ((signal.SIGSTOP, 10), (signal.SIGCONT, 0)):
        for pid in ranks:
            kill(pid, number)
        time.sleep(seconds)


def ask(trial, job, draw):
    """SIGTERM, as a batch system sends it to every rank."""
    for pid in job.ranks():
        kill(pid, signal.SIGTERM)


def full_disk(trial, job, draw):
    machine.fill(trial.run, draw.choice([0, draw.randrange(8 << 10), draw.randrange(1 << 20)]))


def free_disk(trial):
    (trial.run / "filler").unlink(missing_ok=True)


def read_only(trial, job, draw):
    machine.make_read_only(trial.run / "checkpoints")


def writable(trial):
    machine.make_writable(trial.run / "checkpoints")


def data(trial, job, draw):
    """A file of the data set is cut, replaced by half of it, or removed."""
    whole = trial.folder / "data" / trial.case.form
    files = sorted(path for path in [whole, *whole.rglob("*")] if path.is_file())
    chosen = draw.choice(files)
    size = chosen.stat().st_size
    how = draw.choice(["cut", "replaced", "removed"])
    if how == "cut":
        os.truncate(chosen, draw.randrange(size))
    if how == "replaced":
        chosen.with_suffix(".new").write_bytes(chosen.read_bytes()[: size // 2])
        chosen.with_suffix(".new").rename(chosen)
    if how == "removed":
        chosen.unlink()


def whole_data(trial):
    trial.copy_data()


def clock(trial, job, draw):
    trial.clock.write_text(f"-{draw.randint(1, 2000)}h")


def possible_data(trial):
    return trial.case.form != "synthetic"


KINDS = {
    "a rank killed": Kind(rank, (LOST,)),
    "all ranks killed": Kind(all_ranks, (LOST,)),
    "the launcher killed": Kind(launcher, (LOST,), ranks=2),
    "launcher and daemon killed": Kind(node, (LOST,), ranks=2),
    "no memory on the node": Kind(memory, (LOST,), possible=lambda trial: machine.can_limit_memory(), group=True),
    "a rank stopped for longer than the watchdog": Kind(
        stop, (1, LOST), "[watchdog]", ranks=2, early=False, watchdog=10
    ),
    "all ranks stopped, then continued": Kind(pause, (0,), early=False, watchdog=8),
    "asked to end (SIGTERM)": Kind(ask, (0,), early=False),
    "the disk full": Kind(full_disk, (0, 1, LOST), mend=free_disk, possible=lambda trial: trial.small_disk),
    "a read-only folder": Kind(
        read_only,
        (0, 1, LOST),
        "Read-only file system",
        mend=writable,
        possible=lambda trial: machine.can_mount(),
        early=False,
    ),
    "a file of the data cut, replaced or removed": Kind(data, (0, 1, 2, LOST), mend=whole_data, possible=possible_data),
    "the clock set back": Kind(clock, (0,), possible=lambda trial: machine.CLOCK, clock=True),
}
