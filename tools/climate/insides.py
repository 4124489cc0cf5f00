"""What trained models do: whether they tell leads apart, which waves they damp, where their heads look."""

import numpy as np
import torch

import fields
from graticule import exported

BANDS = ((1, 3), (4, 7), (8, 12))  # zonal wavenumbers


def leads_apart(run, store, time):
    """rms(f(72 h) - f(6 h)) / rms(f(72 h)) of the normalised changes f: 0 if the model does not use its lead."""
    weights, model, normalised = fields.exported_model(run, store, time)
    targets = [model["variables"].index(name) for name in model["targets"]]
    with torch.no_grad():
        short, long = (exported.run_model(weights, model, normalised, lead)[targets] for lead in (6, 72))
    return float((long - short).square().mean().sqrt() / long.square().mean().sqrt())


def kept_power(run, store, name="temperature@850"):
    """The power of the 24 h forecasts over that of the truth, for each band of wavenumbers."""
    power, truth = (fields.spectrum(field) for field in (fields.forecast(run, name), fields.truth(run, store, name)))
    return [power[first : last + 1].sum() / truth[first : last + 1].sum() for first, last in BANDS]


def habits(run, store, time):
    """A row of the page: power by band, then how far leads are told apart."""
    return [*(f"{share:.2f}" for share in kept_power(run, store)), f"{leads_apart(run, store, time):.2f}"]


def looks(looked, place):
    """A row for each head of each block: where one token looks.

    `looked` is [depth, H, V, R, Q], and each head sums to 1; `place` is (row, column) of the token. The row has the
    shares, over all variables, of the token's own place, of its neighbours to the west and to the east, and of the
    3 x 3 places; and to how many tokens the head attends: the exponential of the entropy.
    """
    rows = []
    row, column = place
    for block, heads in enumerate(looked):
        for head, of_VRQ in enumerate(heads):
            of_RQ = of_VRQ.sum(axis=0)
            shares = [of_RQ[row, (column + step) % of_RQ.shape[1]] for step in (0, -1, 1)] + [near(of_RQ, place)]
            tokens = np.exp(-(of_VRQ * np.log(np.maximum(of_VRQ, 1e-30))).sum())
            rows.append([block + 1, head + 1, *(f"{100 * share:.1f} %" for share in shares), f"{tokens:,.0f}"])
    return rows


def near(of_RQ, place):
    """The share of the 3 x 3 places around one."""
    row, column = place
    return of_RQ[max(row - 1, 0) : row + 2].take(range(column - 1, column + 2), axis=1, mode="wrap").sum()
