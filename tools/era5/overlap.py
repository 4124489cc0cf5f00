"""First-order conservative regridding between global latitude-longitude grids.

A target cell is the mean of the source over the cell. Cells are products of a range of longitudes and a range of
sin(latitude), so the weights are a product of two small matrices:

    target[y, x] = sum_ij  rows[y, i] columns[x, j] source[i, j],    rows of both sum to 1

Edges are half-way between points. The outer edges of latitude are the poles, so a row at a pole is its cap.
"""

import numpy as np


def equiangular(rows, columns):
    """Latitudes (south first, none at a pole) and longitudes (from 0) of a grid, degrees."""
    return -90 + (np.arange(rows) + 0.5) * 180 / rows, np.arange(columns) * 360 / columns


def _shares(overlaps):
    return overlaps / overlaps.sum(axis=1, keepdims=True)


def _overlaps(target, source):
    """[targets, sources]: the lengths that intervals share; both as (lower edges, upper edges)."""
    lower = np.maximum(target[0][:, None], source[0][None, :])
    upper = np.minimum(target[1][:, None], source[1][None, :])
    return np.maximum(upper - lower, 0)


def _heights(latitudes):
    """Edges of ascending latitudes as sin(latitude)."""
    edges = np.sin(np.deg2rad(np.concatenate([[-90], (latitudes[1:] + latitudes[:-1]) / 2, [90]])))
    return edges[:-1], edges[1:]


def row_weights(target, source):
    """Weights [target latitudes, source latitudes]; source latitudes may ascend or descend."""
    order = np.argsort(source)
    weights = np.empty((len(target), len(source)))
    weights[:, order] = _shares(_overlaps(_heights(target), _heights(np.asarray(source, float)[order])))
    return weights


def _arcs(longitudes):
    """Edges of longitudes that ascend within one turn."""
    before = np.concatenate([[longitudes[-1] - 360], longitudes])
    edges = (before[1:] + before[:-1]) / 2
    return edges, np.append(edges[1:], edges[0] + 360)


def column_weights(target, source):
    """Weights [target longitudes, source longitudes]; the source may begin at any longitude."""
    turned = np.asarray(source, float) % 360
    order = np.argsort(turned)
    lower, upper = _arcs(turned[order])
    goal = _arcs(np.asarray(target, float))
    weights = np.empty((len(target), len(turned)))
    weights[:, order] = _shares(sum(_overlaps(goal, (lower + turn, upper + turn)) for turn in (-360, 0, 360)))
    return weights


def _regrid_one(field, rows, columns):
    there = np.isfinite(field)
    if there.all():
        return rows @ field.astype(np.float64) @ columns.T
    covered = rows @ there.astype(np.float64) @ columns.T
    covered[covered < 1e-12] = np.nan
    return rows @ np.where(there, field, 0).astype(np.float64) @ columns.T / covered


def regrid(fields, rows, columns):
    """Regrids `fields` [..., latitude, longitude] of the source to float32 fields of the target.

    A cell with missing values (NaN) is the mean of the others; NaN if all are missing.
    """
    made = np.empty((*fields.shape[:-2], len(rows), len(columns)), np.float32)
    for place in np.ndindex(fields.shape[:-2]):  # one at a time: temporaries stay in the cache
        made[place] = _regrid_one(fields[place], rows, columns)
    return made


def trouble_with(latitudes, longitudes):
    """The reason why this is no global grid, or None."""
    around = np.sort(np.asarray(longitudes, float) % 360)
    gaps = np.diff(np.append(around, around[0] + 360))
    up = np.sort(np.asarray(latitudes, float))
    if gaps.min() < 1e-6:
        return f"longitude {around[gaps.argmin()]:g} is given twice"
    if gaps.max() > 1.5 * np.median(gaps):
        return f"longitudes leave a gap of {gaps.max():g} degrees"
    if len(up) < 2 or max(90 + up[0], 90 - up[-1]) > 1.01 * np.diff(up).max():
        return f"latitudes from {up[0]:g} to {up[-1]:g} do not reach the poles"
    return None
