#!/usr/bin/env python3
"""The climate experiment, whole: makes the data, searches, trains, scores, and writes the page.

  python tools/climate/reproduce.py --budget night

Every part leaves a file when it is done. Stop it at any time and give the same command again: it goes on from there.
"""

import argparse
import os
import signal
import sys
import tomllib

import experiment
import parts
import program

BUDGETS = "tools/climate/budgets"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = sorted(name.removesuffix(".toml") for name in os.listdir(BUDGETS))
    parser.add_argument("--budget", choices=known, default="night", help=f"a file of {BUDGETS} (default: night)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="trainings at once, a core each (all)")
    parser.add_argument("--out", help="folder of the runs (default: runs/climate/BUDGET)")
    parsed = parser.parse_args()
    if parsed.jobs < 1:
        parser.error(f"--jobs {parsed.jobs}: at least 1")
    return parsed


def reproduce(budget, folder, jobs):
    parts.run_all([experiment.data_part(budget["data"])], 1)
    definitions = experiment.define_all(budget)
    experiment.hold_settings(f"{folder}/budget.json", {"budget": budget, "definitions": definitions})
    trainings, scores = experiment.search_parts(budget, definitions, folder)
    parts.run_all(trainings, jobs)
    parts.run_all(scores, jobs)
    results = experiment.search_results(budget, definitions, folder)
    parts.run_all(experiment.training_parts(budget, definitions, results, folder), jobs)
    # Only now, with every choice made and every model trained, is the test year read.
    parts.run_all(experiment.test_parts(budget, folder), jobs)


def main():
    options = arguments()
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
    with open(f"{BUDGETS}/{options.budget}.toml", "rb") as file:
        budget = tomllib.load(file)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        reproduce(budget, options.out or f"runs/climate/{options.budget}", options.jobs)
    except program.FailedError as error:
        sys.exit(f"[climate] {error}")
    except KeyboardInterrupt:
        sys.exit("[climate] stopped; the same command goes on from here")


if __name__ == "__main__":
    main()
