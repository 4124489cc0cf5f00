#!/usr/bin/env python3
"""Runs the whole climate experiment: makes the data, searches, trains, scores, and writes the page.

  PYTHONPATH=python python tools/climate/reproduce.py --budget morning

Every finished part leaves a file. You can stop the run at any time; the same command then continues.
"""

import argparse
import fcntl
import os
import signal
import sys

import budget_file
import experiment
import page
import parts
import program
import tried

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = ", ".join(budget_file.names())
    parser.add_argument(
        "--budget", default="morning", help=f"{known}, or a TOML file like those of {budget_file.FOLDER} (morning)"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="trainings at once, a core each (all)")
    parser.add_argument("--out", help="folder of the runs (default: runs/climate/BUDGET)")
    parser.add_argument("--page", help="the page (default: the budget's); its pictures go to pictures/ beside it")
    parsed = parser.parse_args()
    if parsed.jobs < 1:
        parser.error(f"--jobs {parsed.jobs}: at least 1")
    parsed.file = budget_file.file_of(parsed.budget)
    if not os.path.exists(parsed.file):
        parser.error(f"--budget {parsed.budget}: choose {known}, or name a TOML file")
    name = os.path.basename(parsed.file).removesuffix(".toml")
    parsed.out = parsed.out or f"runs/climate/{name}"
    return parsed


def hold(folder):
    """Locks the folder while this process, or a command that it started, runs."""
    os.makedirs(folder, exist_ok=True)
    lock = open(f"{folder}/lock", "w")  # noqa: SIM115
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise program.FailedError(
            f"{folder} is in use: wait for the trainings that are under way there, end them, or give another --out"
        ) from None
    os.set_inheritable(lock.fileno(), True)
    return lock


def reproduce(options, budget):
    folder, jobs = options.out, options.jobs
    parts.run_all([experiment.data_part(budget["data"])], 1)
    definitions = experiment.define_all(budget)
    experiment.hold_settings(budget, definitions, folder)
    trainings, scores = experiment.search_parts(budget, definitions, folder)
    parts.run_all(trainings, jobs)
    parts.run_all(scores, jobs)
    results = experiment.search_results(budget, folder)
    parts.run_all(experiment.training_parts(budget, definitions, results, folder), jobs)
    if "tried" in budget:
        trainings, scores = tried.parts(budget, definitions, results, folder)
        parts.run_all(trainings, jobs)
        parts.run_all(scores, jobs)
    # The test year is read only here, after every choice is made and every model is trained.
    parts.run_all(experiment.test_parts(budget, folder), jobs)
    parts.run_all([experiment.regression_part(budget, folder)], 1)
    page.write(options, budget, definitions, results)
    program.say(f"wrote {options.page}")


def main():
    os.chdir(ROOT)
    options = arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        budget = budget_file.load(options.file)
        options.page = options.page or budget["page"]
        with hold(options.out):
            reproduce(options, budget)
    except program.FailedError as error:
        sys.exit(f"[climate] {error}")
    except KeyboardInterrupt:
        sys.exit("[climate] stopped; the same command goes on from here")


if __name__ == "__main__":
    main()
