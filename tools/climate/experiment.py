"""The parts of the experiment in their order: the data, the searches, the trainings, the scores."""

import json
import os
import statistics
import tomllib

import arms
import linear_regression
import program
import training
from quantities import FORECASTS, SCORED

# The forecasts that are scored: each trained lead, and how many steps of it.
LEADS = [(of, max(lead for lead, step in FORECASTS if step == of) // of) for of in sorted({s for _, s in FORECASTS})]


def made_here(data):
    """Whether the experiment makes the data itself, with the circulation model. Other data must exist."""
    return "years" in data


def data_part(data):
    """The part that makes the data, or fails if they must exist and do not."""
    if not made_here(data):
        return f"data in {data['path']}", data["path"], lambda _: ask_for(data)
    first, last = data["years"]

    def make(runner):
        return runner.run(
            [".venv/bin/python", "tools/gcm/make_dataset.py", "--years", str(first), str(last), "--out", data["path"]],
            data["path"] + ".log",
        )

    return f"data of {first} to {last}", data["path"], make


def ask_for(data):
    raise program.FailedError(
        f"{data['path']} is not there: bring the data first, as docs/era5.md does, or give [data] the `years` that the "
        "circulation model shall make"
    )


def settings_of(budget, study, part):
    """The settings of `search` or `scores`: those of the study replace those of the budget."""
    return budget[part] | study.get(part, {})


def define_all(budget):
    """study -> arm -> definition (arms.define)."""
    data = training.data_settings(budget["data"])
    return {
        study["name"]: {arm: arms.define(study | {"set": [*data, *study["set"]]}, arm) for arm in study["arms"]}
        for study in budget["study"]
    }


def searched(study):
    """The arms that search a learning rate. A `-long` arm does not: it uses the rate of its arm.

    A study with `rates_of` takes the rates of that study.
    """
    return [] if "rates_of" in study else [arm for arm in study["arms"] if not arm.endswith("-long")]


def search_run(study, arm, lr):
    return f"search/{study['name']}-{arm}-{lr}"


def search_parts(budget, definitions, folder):
    """One short training for each arm and learning rate, and its score on validation times."""
    trainings, scores = [], []
    for study in budget["study"]:
        of_study, search = definitions[study["name"]], settings_of(budget, study, "search")
        for arm in searched(study):
            short = {**of_study[arm], "steps": search["samples"] // arms.value_of(study, "data.batch")}
            for lr in search["lr"]:
                name, run = f"search {study['name']} {arm} lr {lr}", search_run(study, arm, lr)
                training_part, score_part = validated(name, folder, run, budget, study, short, lr)
                trainings.append(training_part)
                scores.append(score_part)
    return trainings, scores


def validated(name, folder, run, budget, study, definition, lr):
    """A training of seed 0 and its score on the dates of the study's search: two parts."""
    dates, span, out = settings_of(budget, study, "search")["dates"], budget["data"]["valid"], f"{folder}/{run}"
    return (
        training.train(name, folder, run, budget, study, definition, lr, seed=0),
        training.validate(f"score of {name}", out, valid_file(folder, run), dates, span),
    )


def valid_file(folder, run):
    return f"{folder}/{run}/valid.json"


def relative_error(path):
    """The mean over variables of (RMSE of a model / RMSE of climatology). A search minimises it."""
    with open(path) as file:
        rows = json.load(file)["scores"]
    rmse = {(row["forecast"], row["variable"]): row["rmse"] for row in rows}
    return statistics.fmean(
        rmse["model", variable] / rmse["climatology", variable] for forecast, variable in rmse if forecast == "model"
    )


def search_results(budget, folder):
    """study -> arm -> {learning rate: error on validation times}."""

    def error(study, arm, lr):
        return relative_error(valid_file(folder, search_run(study, arm, lr)))

    return {
        study["name"]: {
            arm: {lr: error(study, arm, lr) for lr in settings_of(budget, study, "search")["lr"]}
            for arm in searched(study)
        }
        for study in budget["study"]
    }


def best_lr(results, study, arm):
    own = results[study.get("rates_of", study["name"])]
    errors = own[arm if arm in own else arms.tokens_of(arm)]
    return min(errors, key=errors.get)


def seeds(study, arm):
    """The seeds of an arm. An expensive arm may have fewer, the first ones: `seeds_of`, arm -> list."""
    return study.get("seeds_of", {}).get(arm, study["seeds"])


def run_name(study, arm, seed):
    return f"{study['name']}-{arm}-{seed}"


def training_parts(budget, definitions, results, folder):
    """Trainings seed by seed, so that a stopped budget has complete seeds; in a seed the most expensive first."""
    parts = []
    for study in budget["study"]:
        for arm in study["arms"]:
            definition, lr = definitions[study["name"]][arm], best_lr(results, study, arm)
            for seed in seeds(study, arm):
                run = run_name(study, arm, seed)
                part = training.train(f"training {run}", folder, run, budget, study, definition, lr, seed)
                parts.append(((study["seeds"].index(seed), -definition["flops"] * definition["samples"]), part))
    return [part for _, part in sorted(parts, key=lambda pair: pair[0])]


def test_parts(budget, folder):
    """Scores of every model on the test year, and forecast fields of each arm's first seed."""
    parts = []
    for study in budget["study"]:
        scores = settings_of(budget, study, "scores")
        for arm in study["arms"]:
            for seed in seeds(study, arm):
                run = run_name(study, arm, seed)
                out = f"{folder}/{run}"
                for lead, steps in LEADS:
                    name = f"test of {run}, {lead} h"
                    parts.append(training.test(name, out, f"{out}/test-{lead}.json", lead, steps, scores["dates"]))
            run = run_name(study, arm, study["seeds"][0])
            out = f"{folder}/{run}"
            span = (scores["fields_from"], scores["fields_until"], scores["fields_every"])
            parts.append(training.fields(f"fields of {run}", out, f"{out}/fields-24.nc", 24, *span))
    return parts


def regression_part(budget, folder):
    """Linear regression from all variables of the recipe that change in time, on the dates of the models."""
    study = budget["study"][0]
    with open(study["recipe"], "rb") as file:
        inputs = tomllib.load(file)["data"]["variables"]
    run = f"{folder}/{run_name(study, study['arms'][0], study['seeds'][0])}"
    dates_of = {lead: f"{run}/test-{lead}.json" for lead, _ in LEADS}
    targets = [name for names, _ in SCORED.values() for name in names]
    return linear_regression.part(budget, inputs, targets, dates_of, f"{folder}/regression.json")


def _merged(first, second):
    """The settings of two studies together; the second one wins."""
    return first | second | {"definitions": first["definitions"] | second["definitions"]}


def hold_settings(budget, definitions, folder):
    """Writes the settings of each study into the folder, or refuses a folder with other settings.

    A budget may get new studies, and a study new arms and seeds. Finished results stay.
    """
    common = {part: budget[part] for part in ("data", "search", "scores", "regression")}
    os.makedirs(folder, exist_ok=True)
    for study in budget["study"]:
        path = f"{folder}/{study['name']}.json"
        own = {key: value for key, value in study.items() if key not in ("arms", "seeds", "seeds_of")}
        # Through JSON and back, so that tuples are lists here as in the file.
        wanted = json.loads(json.dumps({**common, "study": own, "definitions": definitions[study["name"]]}))
        held = wanted
        if os.path.exists(path):
            with open(path) as file:
                held = json.load(file)
        if _merged(held, wanted) != _merged(wanted, held):
            raise program.FailedError(
                f"{path} was made with other settings than the budget has now: remove what is in {folder}, or give "
                "another --out"
            )
        program.write_whole(path, json.dumps(_merged(held, wanted), indent=1))
