"""What a run folder says of its training, as lists and dictionaries for the report's page (graticule.report)."""

import math
from pathlib import Path

from graticule import run_files
from graticule.run_files import MissingError

POINTS = 2000  # of a curve: more cannot be told apart on a screen
SCORE_KEYS = ["variable", "lead_hours", "forecast", "rmse", "acc", "units"]  # without the lists by date
SCORED_BY = ["convention", "samples", "climatology", "checkpoint"]
MEASURES = ["loss", "lr", "grad_norm", "step_s", "data_wait_s", "tokens_per_s", "memory_bytes", "tensor_peak_bytes"]


def finite(value):
    """JSON has no NaN and no infinity: they become None."""
    return value if isinstance(value, (int, float)) and math.isfinite(value) else None


def mean(values):
    numbers = [value for value in values if value is not None]
    return sum(numbers) / len(numbers) if numbers else None


def curves(lines):
    """Each measure by step, at most POINTS of them: each is the mean of `steps_a_point` steps, put at their last."""
    size = max(1, -(-len(lines) // POINTS))
    parts = [lines[begin : begin + size] for begin in range(0, len(lines), size)]
    by_name = {name: [mean(finite(line.get(name)) for line in part) for part in parts] for name in MEASURES}
    return {"step": [part[-1]["step"] for part in parts], "steps_a_point": size, **by_name}


def evaluations(path):
    """The RMSE on data.valid during training: {variable: {"step": [...], "rmse": [...], "units": ...}}."""
    found = {}
    for line in run_files.read_json_lines(path):
        if line.get("kind") != "evaluation":
            continue
        of = found.setdefault(line["variable"], {"step": [], "rmse": [], "units": line.get("units", "")})
        of["step"].append(line["step"])
        of["rmse"].append(finite(line["rmse"]))
    return found


def training(run, started):
    """The curves and evaluations of a run. A run without a step has empty ones: an error if `started` is asked for."""
    try:
        return {"curves": curves(run_files.training_lines(run)), "evaluations": evaluations(run / "metrics.jsonl")}
    except MissingError:
        if started:
            raise
        return {"curves": curves([]), "evaluations": {}}


def read_run(folder, started=True):
    """Everything but fields. `missing`: a sentence for each part that the folder does not have, with the command that
    makes it. `started`: refuses a run without a step. MissingError: it is no run folder."""
    run = Path(folder)
    text, recipe = run_files.recipe(run)
    found = {"name": run.resolve().name, "path": str(run), "recipe": recipe, "recipe_text": text, "missing": []}
    found |= training(run, started)
    found |= {"machine": run_files.record(run, "machine.json"), "cost": run_files.record(run, "cost.json")}
    found["scores"] = None
    try:
        scores = run_files.scores(run)
        rows = [{key: row.get(key) for key in SCORE_KEYS} for row in scores["scores"]]
        found["scores"] = {key: scores.get(key) for key in SCORED_BY} | {"scores": rows}
    except MissingError as missing:
        found["missing"].append(str(missing))
    return found


def named_apart(runs):
    """Runs whose folders have the same name are called by their paths."""
    names = [run["name"] for run in runs]
    for run in runs:
        if names.count(run["name"]) > 1:
            run["name"] = run["path"]


def refuse_different_data(runs):
    """One page compares runs of one data set, scored in one way. MissingError names what differs."""
    first = runs[0]
    for run in runs[1:]:
        for key in ("path", "lead_hours"):
            ours, theirs = (each["recipe"].get("data", {}).get(key) for each in (first, run))
            if ours != theirs:
                raise MissingError(
                    f"[report] data.{key} is {ours!r} in {first['path']} and {theirs!r} in {run['path']}: "
                    "a page compares runs of one data set; write a page for each"
                )
    scored = [run for run in runs if run["scores"]]
    for run in scored[1:]:
        for key in SCORED_BY[:3]:
            ours, theirs = (each["scores"].get(key) for each in (scored[0], run))
            if ours != theirs:
                raise MissingError(
                    f"[report] scores.json says {key} {ours!r} in {scored[0]['path']} and {theirs!r} in "
                    f"{run['path']}: score both in one way (graticule eval), or write a page for each"
                )
