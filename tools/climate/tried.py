"""Trains every arm with one changed setting at a time, at its own learning rate, and scores it on validation times.

The compared arms use none of these settings. The result shows whether another setting, the same for all arms, would
have changed the comparison.
"""

import arms
import experiment

UNCHANGED = "as compared"


def tried_arms(study):
    """The arms that differ only in their tokens."""
    return [arm for arm in study["arms"] if arm == arms.tokens_of(arm)]


def _run(study, arm, setting, samples):
    """The name of a run; each number of samples has its own runs."""
    return f"tried/{study['name']}-{arm}-{setting.replace(' ', '-')}-{samples}"


def parts(budget, definitions, results, folder):
    """Parts of the first study: a training with each setting, and its score on validation times."""
    trainings, scores = [], []
    study, tried = budget["study"][0], budget["tried"]
    samples = tried["samples"]
    for arm in tried_arms(study):
        of_arm, lr = definitions[study["name"]][arm], experiment.best_lr(results, study, arm)
        for setting in (UNCHANGED, *tried["settings"]):
            changed = [] if setting == UNCHANGED else [setting]
            definition = {
                "settings": [*of_arm["settings"], *changed],
                "steps": samples // arms.value_of(study, "data.batch"),
            }
            name, run = f"trying {arm} {setting}", _run(study, arm, setting, samples)
            training, score = experiment.validated(name, folder, run, budget, study, definition, lr)
            trainings.append(training)
            scores.append(score)
    return trainings, scores


def errors(budget, folder):
    """arm -> {setting: error on validation times}, measured as in the search."""
    study, tried = budget["study"][0], budget["tried"]

    def error(arm, setting):
        run = _run(study, arm, setting, tried["samples"])
        return experiment.relative_error(experiment.valid_file(folder, run))

    return {arm: {s: error(arm, s) for s in (UNCHANGED, *tried["settings"])} for arm in tried_arms(study)}
