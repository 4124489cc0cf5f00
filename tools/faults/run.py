#!/usr/bin/env python3
"""Hits small random trainings with faults until enough of them were ended, and tells what was lost.

python tools/faults/run.py --kills 500 --jobs 2
python tools/faults/run.py --seed 17            # the case of one seed again
"""

import argparse
import contextlib
import sys
import time
import traceback
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

import machine
from draw import case_of, make_data
from job import ROOT
from kinds import KINDS
from restarts import Restarts
from trial import Told, Trial


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=500, help="end after so many jobs were ended by a fault (500)")
    parser.add_argument("--minutes", type=float, default=1e9, help="start no more cases after so many minutes")
    parser.add_argument("--first", type=int, default=0, help="the first seed; then come the next numbers (0)")
    parser.add_argument("--seed", type=int, help="this seed alone")
    parser.add_argument("--kind", help="faults alone whose name has this word")
    parser.add_argument("--jobs", type=int, default=2, help="cases at once (2)")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "build" / "faults", help="folder for all files (build/faults)"
    )
    return parser.parse_args()


def run_case(seed, options):
    """The trial of a seed. Every fourth restarts by itself."""
    case, folder = case_of(seed), options.out / str(seed)
    trial = (Restarts if seed % 4 == 3 else Trial)(case, folder, options.out / "data")
    try:
        trial.go(most_kills=10, only=options.kind)
    except Exception:
        trial.told.problems.append(f"seed {seed}: the trial itself broke: {traceback.format_exc()}")
    if not trial.told.problems:
        machine.quietly("rm", "-rf", folder)
    return trial.told


def add(total, told, options):
    for kind, (faults, ended) in told.struck.items():
        total.count(kind, 0)
        total.struck[kind][0] += faults - 1
        total.struck[kind][1] += ended
    total.hung += told.hung
    total.recovery += told.recovery
    total.problems += told.problems
    for problem in told.problems:
        print(f"PROBLEM {problem}\n  again: {Path(sys.argv[0])} --seed {problem.split()[1].strip(':')}", flush=True)


def kills(total):
    return sum(ended for _, ended in total.struck.values())


def run_cases(options, total):
    """Runs the cases, `jobs` at once. Adds what they found to `total`, and yields how many were started."""
    begin, seeds = time.monotonic(), 0
    following = iter([options.seed] if options.seed is not None else range(options.first, sys.maxsize))
    with ThreadPoolExecutor(options.jobs) as pool:
        running = set()
        while True:
            wanted = kills(total) < options.kills and time.monotonic() - begin < 60 * options.minutes
            for seed in following if wanted else ():
                running.add(pool.submit(run_case, seed, options))
                seeds += 1
                if len(running) == options.jobs:
                    break
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                add(total, future.result(), options)
            yield seeds


def print_table(total, seeds):
    print("\n| fault | made | jobs that it ended |\n|---|---|---|")
    for kind in [*KINDS, *sorted(set(total.struck) - set(KINDS))]:
        faults, ended = total.struck.get(kind, (0, 0))
        print(f"| {kind} | {faults} | {ended} |")
    made = sum(faults for faults, _ in total.struck.values())
    print(f"| all, in {seeds} runs | {made} | {kills(total)} |\n")
    if times := sorted(total.recovery):
        middle, late = (f"{times[len(times) * part // 10]:.1f} s" for part in (5, 9))
        print(f"From a kill to the next step, with --restarts: median {middle}, nine of ten {late} ({len(times)}).")
    print(f"{len(total.problems)} problems, {total.hung} hung.")


def main():
    machine.enter_own_mounts()
    options = arguments()
    machine.quietly("rm", "-rf", options.out)
    (options.out / "data").mkdir(parents=True)
    make_data(options.out / "data")
    total, seeds = Told(), 0
    with contextlib.suppress(KeyboardInterrupt):  # the table of what was found so far
        for seeds in run_cases(options, total):
            print(f"{seeds} cases, {kills(total)} kills, {len(total.problems)} problems", flush=True)
    print_table(total, seeds)
    return 1 if total.problems else 0


if __name__ == "__main__":
    sys.exit(main())
