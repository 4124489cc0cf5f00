"""One trial: a run that is hit again and again, beside the same run that nothing happens to."""

import contextlib
import os
import random
import shutil
import time
from dataclasses import dataclass, field

import judge
import machine
from draw import SYNTHETIC
from job import MPIEXEC, PROGRAM, Job, last_step, newest_checkpoint
from kinds import KINDS

LIMIT = 300  # seconds of a job, many times what it needs: after them it hangs
SMALL_DISK = 16 << 20


@dataclass
class Told:
    """What a trial found."""

    struck: dict = field(default_factory=dict)  # kind -> [faults, jobs that they ended]
    problems: list = field(default_factory=list)
    hung: int = 0
    recovery: list = field(default_factory=list)  # seconds from a kill to the next step, with --restarts

    def count(self, kind, ended):
        pair = self.struck.setdefault(kind, [0, 0])
        pair[0] += 1
        pair[1] += ended


def now_written(path, job):
    """Whether an unfinished checkpoint is of this job, and not one that an earlier job has left."""
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_ctime > job.begin
    return False


class Trial:
    """A case in a folder. `run` is the run that is hit, `whole` the one that is not."""

    def __init__(self, case, folder, data):
        self.case, self.folder, self.data = case, folder, data
        self.run, self.whole = folder / "run", folder / "whole"
        self.draw = random.Random(f"trial {case.seed}")
        self.told = Told()
        self.memory = None  # the control group of the job that runs
        self.clock = folder / "clock"
        self.small_disk = machine.can_mount() and self.draw.random() < 0.3
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "scratch").mkdir(parents=True)
        self.copy_data()

    def copy_data(self):
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        (self.folder / "data").mkdir()
        source, copy = self.data / self.case.form, self.folder / "data" / self.case.form
        if source.exists():
            (shutil.copytree if source.is_dir() else shutil.copy)(source, copy)

    def write_recipe(self, layout, out):
        path = SYNTHETIC if self.case.form == "synthetic" else self.folder / "data" / self.case.form
        text = self.case.recipe.format(path=path, out=out, scratch=self.folder / "scratch")
        recipe = self.folder / f"{out.name}.toml"
        recipe.write_text(f"{text}[parallel]\n{layout}\n")
        return recipe

    def command(self, number, out, *more):
        """The ranks and the command of job `number`."""
        ranks, layout = self.case.layouts[number % len(self.case.layouts)]
        command = [PROGRAM, "train", self.write_recipe(layout, out), *more]
        return ranks, command if ranks == 1 else [MPIEXEC, "-n", ranks, *command]

    def problem(self, words, job):
        kept = self.folder / f"problem-{len(self.told.problems)}"
        kept.mkdir()
        shutil.copy(job.out, kept)
        shutil.copy(job.err, kept)
        self.told.problems.append(f"seed {self.case.seed}: {words}; {kept}")

    def run_to_end(self, number, out, *more):
        """Runs a job that nothing happens to. Returns whether it ended as it should."""
        ranks, command = self.command(number, out, *more)
        job = Job(command, self.folder)
        code = job.wait(LIMIT)
        self.told.hung += code is None
        if code != 0:
            self.problem(f"{ranks} ranks, to which nothing happened, ended with {code}", job)
        job.end()
        return code == 0

    def wait_for(self, ready, job, limit=LIMIT):
        """Whether `ready()` becomes true within `limit` seconds, while the job runs."""
        end = time.monotonic() + limit
        while job.runs() and time.monotonic() < end:
            if ready():
                return True
            time.sleep(0.003)
        return False

    def wait_for_point(self, job, early):
        """Waits for a random moment of the job: while it starts, writes a checkpoint, or makes steps."""
        point = self.draw.choice([*["start"] * early, "checkpoint", "checkpoint", "step", "step", "step"])
        if not early:
            self.wait_for(job.starts, job)
            first = last_step(self.run)
            self.wait_for(lambda: last_step(self.run) > first, job)
        if point == "start":
            self.wait_for(job.ranks, job)
            time.sleep(self.draw.uniform(0, 2))
        if point == "checkpoint":
            self.wait_for(
                lambda: any(now_written(path, job) for path in (self.run / "checkpoints").glob("*.part")), job
            )
            time.sleep(self.draw.uniform(0, 0.04))
        if point == "step":
            self.wait_for(job.starts, job)
            target = last_step(self.run) + self.draw.randint(1, 3)
            self.wait_for(lambda: last_step(self.run) >= target, job)
            time.sleep(self.draw.uniform(0, 0.05))
        return job.runs()

    def hit(self, number, name):
        """Job `number`: goes on with the run, is hit, and is judged."""
        kind, newest = KINDS[name], newest_checkpoint(self.run)
        more = ["--set", f"run.watchdog_seconds={kind.watchdog}"] if kind.watchdog else []
        ranks, command = self.command(number, self.run, "--resume", "auto", *more)
        with contextlib.ExitStack() as stack:
            if kind.group:
                self.memory = stack.enter_context(
                    machine.MemoryGroup(f"graticule-faults-{os.getpid()}-{self.case.seed}")
                )
                command = self.memory.starts(command)
            job = Job(command, self.folder, machine.environment_of_clock(self.clock) if kind.clock else None)
            stack.callback(job.end)
            struck = self.wait_for_point(job, kind.early)
            if struck:
                kind.strike(self, job, self.draw)
            code = job.wait(LIMIT)
            ended_well = code == 0 and last_step(self.run) >= self.case.steps
            struck = struck and (0 in kind.codes or not ended_well)  # else the kill came too late
            for words in judge.after(self, kind if struck else None, job, code, newest):
                self.problem(f"job {number}, {ranks} ranks, {name if struck else 'nothing'}: {words}", job)
            self.told.hung += code is None
            if struck:
                self.told.count(name, code != 0)
            kind.mend(self)

    def kinds(self):
        """The kinds of faults that this case and this machine allow."""
        fewest = min(ranks for ranks, _ in self.case.layouts)
        return [name for name, kind in KINDS.items() if fewest >= kind.ranks and kind.possible(self)]

    def go(self, most_kills, only=None):
        """Hits the run until it is at its end, then compares. Returns what it found."""
        if not self.run_to_end(0, self.whole):
            return self.told
        with machine.small_disk(self.run, SMALL_DISK) if self.small_disk else contextlib.nullcontext():
            kinds = [name for name in self.kinds() if not only or only in name]
            for number in range(most_kills if kinds else 0):
                if last_step(self.run) >= self.case.steps or self.told.problems:
                    break
                self.hit(number, self.draw.choice(kinds))
            if not self.told.problems and self.run_to_end(0, self.run, "--resume", "auto"):
                self.told.problems += [f"seed {self.case.seed}: {words}" for words in judge.at_end(self)]
        return self.told
