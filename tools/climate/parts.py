"""Runs the parts of the experiment. A part is done if its result exists, so a stopped run continues with the next."""

import concurrent.futures
import os
import time

import program


def run_all(parts, jobs):
    """Runs `parts`: (name, path of the result, function of a Runner). The first failure stops all and is raised."""
    waiting = [part for part in parts if not os.path.exists(part[1])]
    if not waiting:
        return
    runner = program.Runner()

    def work(part):
        name, result, make = part
        begun = time.monotonic()
        make(runner)
        if not os.path.exists(result):
            raise program.FailedError(f"{name} ended without {result}")
        return name, time.monotonic() - begun

    done = len(parts) - len(waiting)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(work, part) for part in waiting]
        try:
            for future in concurrent.futures.as_completed(futures):
                name, seconds = future.result()
                done += 1
                program.say(f"{done} of {len(parts)}: {name}, {seconds:.0f} s")
        except BaseException:
            for future in futures:
                future.cancel()
            runner.stop()
            raise
