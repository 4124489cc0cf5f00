"""A trial of `train --restarts`: the jobs of one supervised run are killed, and it goes on by itself."""

import time

import judge
from job import MPIEXEC, PROGRAM, Job, last_step, newest_checkpoint
from kinds import KINDS
from trial import LIMIT, Trial

STRIKES = ["a rank killed", "all ranks killed", "the launcher killed", "launcher and daemon killed"]


class Restarts(Trial):
    """With --keep-ranks all jobs have one layout; without it each has a rank less, and the planner's layout."""

    def go(self, most_kills, only=None):
        if not self.run_to_end(0, self.whole):
            return self.told
        keeps = len(self.case.layouts) == 1
        ranks, layout = self.case.layouts[0]
        command = [PROGRAM, "train", self.write_recipe(layout, self.run), "--restarts", 99, "--ranks", ranks]
        command += ["--launch", f"{MPIEXEC} -n {{ranks}}", *["--keep-ranks"] * keeps]
        job = Job(command, self.folder)
        for number in range(1, most_kills + 1):
            name = self.draw.choice(STRIKES if ranks > 1 else STRIKES[:1])
            if not self.strike(job, name, number):
                break
        code = job.wait(LIMIT)
        self.told.hung += code is None
        kills = sum(ended for _, ended in self.told.struck.values())
        restarts = job.err.read_text().count("graticule: [restart] ")
        if code != 0 or not len(self.told.recovery) <= restarts <= kills:
            self.problem(f"--restarts: {kills} kills, {restarts} restarts, exit code {code}", job)
        elif left := job.left_over():
            self.problem(f"--restarts leaves the processes {left}", job)
        else:
            self.told.problems += [f"seed {self.case.seed}: --restarts: {words}" for words in judge.at_end(self)]
        job.end()
        return self.told

    def strike(self, job, name, number):
        """Kills the job after its first checkpoint, and waits for the next step. Returns whether it could."""
        before = newest_checkpoint(self.run) or 0
        self.wait_for(lambda: (newest_checkpoint(self.run) or 0) > before, job)
        time.sleep(self.draw.uniform(0, 0.1))
        if last_step(self.run) >= self.case.steps - 1 or not job.runs():
            return False
        KINDS[name].strike(self, job, self.draw)
        self.told.count(f"{name}, with --restarts", True)
        begin = time.monotonic()
        if not self.wait_for(lambda: job.starts() > number, job):
            return False
        first = last_step(self.run)
        if not self.wait_for(lambda: last_step(self.run) > first, job):
            return False
        self.told.recovery.append(time.monotonic() - begin)
        return True
