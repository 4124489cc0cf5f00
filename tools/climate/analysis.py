"""Computes changes of RMSE, with intervals, from the scores of every date.

A model's error is RMSE = sqrt(mean over dates of the weighted MSE), convention wb2 (docs/scores.md). Two arms are
compared in pairs: both see the samples of a seed in the same order, and all arms forecast the same dates. The relative
change of a pair is r_s = RMSE_a / RMSE_b - 1. The page has its mean over seeds with a 95 % interval. The interval has
two parts, added in quadrature: over seeds, Student's t with n - 1 degrees of freedom; over dates, a bootstrap of
blocks of consecutive dates.
"""

import dataclasses
import json
import os

import numpy as np
from scipy import stats

import arms
import experiment
from quantities import FORECASTS, SCORED

RESAMPLES, BLOCK = 2000, 3  # a block has several dates, because their weather is correlated


@dataclasses.dataclass
class Errors:
    """MSE [seed, date] of one model by (quantity, lead, step), and ACC [seed, date] of single fields."""

    mse: dict
    acc: dict

    def rmse(self, key):
        """RMSE of each seed."""
        return np.sqrt(self.mse[key].mean(axis=1))


def _rows(path):
    with open(path) as file:
        return json.load(file)["scores"]


def _of(rows, forecast):
    return [row for row in rows if row["forecast"] == forecast]


def _errors(rows_of):
    """`rows_of`: step -> list by seed of rows {variable, lead_hours, mse, acc_by_date}."""
    mse, acc = {}, {}
    for quantity, (variables, _) in SCORED.items():
        for lead, step in FORECASTS:
            if step not in rows_of:
                continue
            by_seed = [
                [row for row in rows if row["lead_hours"] == lead and row["variable"] in variables]
                for rows in rows_of[step]
            ]
            if not by_seed[0]:
                continue
            # The error of a vector is the sum of its components'.
            mse[quantity, lead, step] = np.array([np.sum([row["mse"] for row in rows], axis=0) for rows in by_seed])
            if len(variables) == 1 and "acc_by_date" in by_seed[0][0]:
                acc[quantity, lead, step] = np.array([rows[0]["acc_by_date"] for rows in by_seed], dtype=float)
    return Errors(mse, acc)


def read_study(budget, folder, study):
    """Name -> Errors, for the arms, and for persistence, climatology and regression as models with one seed.

    The regression has forecast the dates of the first study. It is left out of a study with other dates.
    """
    found, baselines = {}, {}
    for arm in study["arms"]:
        runs = [f"{folder}/{experiment.run_name(study, arm, seed)}" for seed in experiment.seeds(study, arm)]
        rows = {step: [_rows(f"{run}/test-{step}.json") for run in runs] for step, _ in experiment.LEADS}
        found[arm] = _errors({step: [_of(seed, "model") for seed in seeds] for step, seeds in rows.items()})
        for name in ("persistence", "climatology"):
            baselines.setdefault(name, _errors({step: [_of(seeds[0], name)] for step, seeds in rows.items()}))
    regression = f"{folder}/regression.json"
    dates, first = (experiment.settings_of(budget, one, "scores")["dates"] for one in (study, budget["study"][0]))
    if os.path.exists(regression) and dates == first:
        rows = _rows(regression)
        baselines["regression"] = _errors(
            {step: [[row for row in rows if row["lead_hours"] == step]] for step, _ in experiment.LEADS}
        )
    return found | baselines


def _resampled_dates(count, generator):
    """Indices [resample, date], drawn as whole blocks; the year is treated as a circle."""
    blocks = -(-count // BLOCK)
    starts = generator.integers(0, count, (RESAMPLES, blocks))
    return ((starts[:, :, None] + np.arange(BLOCK)) % count).reshape(RESAMPLES, -1)[:, :count]


def _interval(by_seed, by_resample):
    """Mean over seeds, and the half width of its interval."""
    count = len(by_seed)
    over_seeds = 0.0
    if count > 1:
        over_seeds = stats.t.ppf(0.975, count - 1) * by_seed.std(ddof=1) / np.sqrt(count)
    low, high = np.quantile(by_resample, [0.025, 0.975])
    return float(by_seed.mean()), float(np.hypot(over_seeds, (high - low) / 2))


def score(errors, key):
    """RMSE of a model: mean over seeds and half width."""
    mse = errors.mse[key]
    dates = _resampled_dates(mse.shape[1], np.random.default_rng(0))
    return _interval(errors.rmse(key), np.sqrt(mse[:, dates].mean(axis=2)).mean(axis=0))


def change(errors, base, key):
    """Relative change of RMSE against `base`, in pairs: mean over seeds, half width. Negative: better than `base`.

    If one of them has fewer seeds, these are the first ones of the other.
    """
    pairs = min(len(errors.mse[key]), len(base.mse[key]))
    ours, theirs = errors.mse[key][:pairs], base.mse[key][:pairs]
    dates = _resampled_dates(ours.shape[1], np.random.default_rng(0))
    by_resample = (np.sqrt(ours[:, dates].mean(axis=2) / theirs[:, dates].mean(axis=2)) - 1).mean(axis=0)
    return _interval(np.sqrt(ours.mean(axis=1) / theirs.mean(axis=1)) - 1, by_resample)


def comparisons(study):
    """The pairs (arm, base, what is equal) of the study: `full` against every other arm."""
    words = {"": "samples", "long": "FLOPs, by more samples", "wide": "FLOPs, by more width"}
    return [("full", arm, words[arms.extra_of(arm)]) for arm in study["arms"] if arms.tokens_of(arm) != "full"]
