"""Scores of several runs: the runs that repeat one recipe with other seeds, and the intervals of their means."""

import json
import math

# Keys that do not change what a run computes, but for its random numbers and its rounding.
FREE_SECTIONS = ("run", "parallel")
FREE_KEYS = ("seed", "threads", "memory_gib", "activations", "offload_to", "tile_tokens", "state_in", "device")

# The 97.5 % quantile of Student's t with 1, 2, ... degrees of freedom; from 30 on it is at most 2.04.
T = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131]
T += [2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042]


def course_of(recipe):
    """What a recipe computes, as text: equal for runs that differ in their seeds alone."""
    kept = {name: keys for name, keys in recipe.items() if name not in FREE_SECTIONS}
    kept["train"] = {key: value for key, value in kept.get("train", {}).items() if key not in FREE_KEYS}
    return json.dumps(kept, sort_keys=True, default=str)


def repeats(runs):
    """The indices of scored runs, together where they repeat one recipe: [[0, 2, 3], [1]]."""
    groups = {}
    for index, run in enumerate(runs):
        if run["scores"]:
            groups.setdefault(course_of(run["recipe"]), []).append(index)
    return list(groups.values())


def mean_and_half_width(values):
    """The mean, and the half width of its 95 % interval by Student's t; None where one value gives no interval."""
    count = len(values)
    mean = sum(values) / count
    if count < 2:
        return mean, None
    variance = sum((value - mean) ** 2 for value in values) / (count - 1)
    return mean, T[min(count - 1, len(T)) - 1] * math.sqrt(variance / count)


def model_scores(run):
    """{(variable, lead_hours): row} of the model's own forecasts."""
    rows = run["scores"]["scores"]
    return {(row["variable"], row["lead_hours"]): row for row in rows if row["forecast"] == "model"}


def group_rows(runs, members):
    """The scores of a group of repeats: rows with the means and half widths over its runs that have a value."""
    of_runs = [model_scores(runs[index]) for index in members]
    rows = []
    for variable, lead in of_runs[0]:
        row = {"variable": variable, "lead_hours": lead, "units": of_runs[0][variable, lead]["units"]}
        for score in ("rmse", "acc"):
            found = [scores[variable, lead][score] for scores in of_runs if (variable, lead) in scores]
            values = [value for value in found if value is not None]
            row[score], row[score + "_half"] = mean_and_half_width(values) if values else (None, None)
        rows.append(row)
    return rows


def name_of(runs, members):
    names = [runs[index]["name"] for index in members]
    return names[0] if len(names) == 1 else f"mean of {', '.join(names)}"


def compared(runs):
    """The lines of the score plots: one for each group of repeats, with its interval, and one for each baseline."""
    groups = repeats(runs)
    lines = [{"name": name_of(runs, members), "runs": members, "rows": group_rows(runs, members)} for members in groups]
    if groups:
        rows = runs[groups[0][0]]["scores"]["scores"]
        for baseline in ("persistence", "climatology"):
            of_it = [row for row in rows if row["forecast"] == baseline]
            if of_it:
                lines.append({"name": baseline, "runs": [], "rows": of_it})
    return lines
