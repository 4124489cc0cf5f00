"""What else was tried: one setting changed at a time, every arm at its own learning rate, scored on validation times.

No arm that is compared takes anything from it: it shows whether another choice, the same for all, would have changed
what the comparison says.
"""

import arms
import experiment

UNCHANGED = "as compared"


def tried_arms(study):
    """The arms that differ in their tokens alone."""
    return [arm for arm in study["arms"] if arm == arms.tokens_of(arm)]


def _run(study, arm, setting, samples):
    """Another number of samples has runs of its own."""
    return f"tried/{study['name']}-{arm}-{setting.replace(' ', '-')}-{samples}"


def parts(budget, definitions, results, folder):
    """For the first study: a training under each setting, and its score on validation times."""
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
    """arm -> {setting: error on validation times}, in the measure of the search."""
    study, tried = budget["study"][0], budget["tried"]

    def error(arm, setting):
        run = _run(study, arm, setting, tried["samples"])
        return experiment.relative_error(experiment.valid_file(folder, run))

    return {arm: {s: error(arm, s) for s in (UNCHANGED, *tried["settings"])} for arm in tried_arms(study)}
