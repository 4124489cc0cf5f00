#!/usr/bin/env python3
"""Linear regression: a network that does not beat it has learned no more than a matrix.

All variables of the whole globe at one time, normalised by place, predict the change of a target over a lead. There
are fewer times than values at a time, so the ridge solution is computed in the space of times. With the n x m matrix X
of n training times and m values, and the changes Y,

    W = X^T (X X^T + penalty I)^-1 Y,    forecast(x) = Y^T (X X^T + penalty I)^-1 X x

Each lead has its own penalty: the one with the smallest error on validation times.
"""

import json

import numpy as np
import torch
import xarray as xr

import program
from graticule import run_files


def fields(store, variables, times):
    """[time, variable, latitude, longitude], fp32."""
    chosen = [
        run_files.select(store, name).sel(time=times).transpose("time", "latitude", "longitude").values
        for name in variables
    ]
    return np.stack(chosen, axis=1).astype(np.float32)


def read_once(path, variables):
    """Reads the variables and levels into memory, because every fit needs other times of them."""
    names, levels = zip(*map(run_files.name_and_level, variables), strict=True)
    store = xr.open_zarr(path)[sorted(set(names))]
    wanted = sorted(set(levels) - {None})
    return (store.sel(level=wanted) if wanted else store).load()


def times_with_valid(store, span, lead, stride=1):
    """Times of `span` (dates, the last one included) whose valid time, `lead` hours later, is in `span` too."""
    inside = store.time.sel(time=slice(*span)).values
    later = inside + np.timedelta64(lead, "h")
    return inside[np.isin(later, inside)][::stride]


class Normal:
    """Mean and deviation by place over the training times."""

    def __init__(self, values):
        self.mean, self.deviation = values.mean(axis=0), values.std(axis=0) + 1e-12

    def flat(self, values):
        return torch.from_numpy(((values - self.mean) / self.deviation).reshape(len(values), -1))


def fit_lead(store, inputs, targets, data, lead, settings):
    """Returns the function initial times -> forecast [time, target, latitude, longitude], and the errors by penalty."""
    train = times_with_valid(store, data["train"], lead, settings["stride"])
    now = fields(store, inputs, train)
    change = fields(store, targets, train + np.timedelta64(lead, "h")) - fields(store, targets, train)
    normal, scale = Normal(now), Normal(change)
    x, y = normal.flat(now), scale.flat(change)
    gram = x @ x.T

    def changes(weights, times):
        predicted = (normal.flat(fields(store, inputs, times)) @ x.T) @ weights
        return predicted.numpy().reshape(len(times), *change.shape[1:]) * scale.deviation + scale.mean

    valid = times_with_valid(store, data["valid"], lead, 24)
    truth = fields(store, targets, valid + np.timedelta64(lead, "h")) - fields(store, targets, valid)
    best, errors = None, {}
    for penalty in settings["penalties"]:
        factor = torch.linalg.cholesky(gram + penalty * torch.eye(len(gram)))
        weights = torch.cholesky_solve(y, factor)
        off = (changes(weights, valid) - truth) / scale.deviation
        errors[penalty] = float(np.sqrt(np.mean(off**2)))
        if errors[penalty] == min(errors.values()):
            best = weights
    return (lambda times: fields(store, targets, times) + changes(best, times)), errors


def part(budget, inputs, targets, dates_of, result):
    """The part that fits and scores. `dates_of`: lead -> file of scores; the regression forecasts its dates."""

    def make(runner):
        store = read_once(budget["data"]["path"], [*inputs, *targets])
        changing = [name for name in inputs if "time" in run_files.select(store, name).dims]
        weight = np.cos(np.deg2rad(store.latitude.values))
        weight /= weight.mean()
        rows, searched = [], {}
        for lead, path in dates_of.items():
            if runner.stopped:
                raise program.FailedError("stopped")
            predict, searched[lead] = fit_lead(store, changing, targets, budget["data"], lead, budget["regression"])
            with open(path) as file:
                dates = np.array(json.load(file)["dates"], "datetime64[ns]")
            off = predict(dates) - fields(store, targets, dates + np.timedelta64(lead, "h"))
            errors = (off.astype(np.float64) ** 2 * weight[:, None]).mean(axis=(2, 3))
            for i, target in enumerate(targets):
                mse = errors[:, i]
                rows.append({"variable": target, "lead_hours": lead, "forecast": "regression", "mse": mse.tolist()})
        program.write_whole(result, json.dumps({"scores": rows, "searched": searched}))

    return "linear regression", result, make
