"""Reads the files of a run folder for the plots: metrics.jsonl, scores.json, forecast and truth fields."""

import json
from pathlib import Path

import numpy as np
import xarray as xr


class MissingError(Exception):
    """A file that a plot needs is missing or not readable; the text names it and the way out."""


def read_json_lines(path):
    """The objects of a file with one JSON object a line. A last line cut short by a crash is left out."""
    if not path.exists():
        raise MissingError(f"[plot] {path} is not there: train first (graticule train RECIPE.toml)")
    lines = path.read_text().splitlines()
    objects = []
    for number, line in enumerate(lines, start=1):
        try:
            objects.append(json.loads(line))
        except json.JSONDecodeError as error:
            if number < len(lines):
                raise MissingError(f"[plot] {path}, line {number} is not JSON: {error.msg}") from None
    return objects


def training_lines(run):
    """Training lines of metrics.jsonl by ascending step; of a step that was repeated, the last line."""
    path = run / "metrics.jsonl"
    steps = {line["step"]: line for line in read_json_lines(path) if "loss" in line}
    if not steps:
        raise MissingError(f"[plot] {path} has no line with a loss: train at least one step")
    return [steps[step] for step in sorted(steps)]


def scores(run):
    """The rows of scores.json (variable, lead_hours, forecast, rmse, acc, units) and its convention."""
    path = run / "scores.json"
    if not path.exists():
        raise MissingError(f"[plot] {path} is not there: score the model first (graticule eval CHECKPOINT)")
    try:
        content = json.loads(path.read_text())
        rows = [{"acc": None, "units": "", **row} for row in content["scores"]]
    except (json.JSONDecodeError, KeyError, TypeError):
        raise MissingError(f"[plot] {path} is not an object with a list `scores`: run graticule eval again") from None
    if not rows:
        raise MissingError(f"[plot] {path} has no scores: run graticule eval again")
    return rows, content.get("convention", "wb2")


def find_fields(run, stem, given):
    """The given file, or RUN/stem.nc, or RUN/stem.zarr; MissingError if there is none."""
    candidates = [Path(given)] if given else [run / f"{stem}.nc", run / f"{stem}.zarr"]
    for path in candidates:
        if path.exists():
            return path
    way_out = "give another --" + stem if given else "make it (graticule forecast CHECKPOINT --truth ...)"
    raise MissingError(f"[plot] {' or '.join(map(str, candidates))} is not there: {way_out}")


def open_fields(path):
    """The data set with dims time, prediction_timedelta, [level], latitude, longitude, latitude ascending."""
    options = {"engine": "zarr", "consolidated": None} if path.is_dir() else {}
    try:
        fields = xr.open_dataset(path, decode_timedelta=True, **options)
    except (OSError, ValueError, KeyError) as error:
        raise MissingError(f"[plot] {path} cannot be read as NetCDF or Zarr: {error}") from None
    absent = [d for d in ("time", "prediction_timedelta", "latitude", "longitude") if d not in fields.dims]
    if absent:
        raise MissingError(
            f"[plot] {path} has no dimension {', '.join(absent)}: give a file that graticule forecast wrote"
        )
    return fields.sortby("latitude").sortby("longitude")


def variable_names(fields):
    """Canonical names: `name`, or `name@level` for each level."""
    names = []
    for name, field in fields.data_vars.items():
        if not {"prediction_timedelta", "latitude", "longitude"} <= set(field.dims):
            continue
        levels = fields["level"].values if "level" in field.dims else [None]
        names += [name if level is None else f"{name}@{level:g}" for level in levels]
    return names


def name_and_level(variable):
    """temperature@850 -> ("temperature", 850.0); 2m_temperature -> ("2m_temperature", None)."""
    name, _, level = variable.partition("@")
    return name, float(level) if level else None


def select(fields, variable):
    """The field of a variable by its canonical name, at its level if it has one."""
    name, level = name_and_level(variable)
    return fields[name] if level is None else fields[name].sel(level=level)


def field_of(fields, path, variable, time, lead):
    """One (latitude, longitude) field by its canonical name, initial time and lead."""
    if variable not in variable_names(fields):
        raise MissingError(f"[plot] {path} has no {variable}: choose of {', '.join(variable_names(fields))}")
    field = select(fields, variable)
    try:
        return field.sel(time=time, prediction_timedelta=lead).transpose("latitude", "longitude").load()
    except KeyError:
        hours = lead / np.timedelta64(1, "h")
        raise MissingError(f"[plot] {path} has no forecast from {time} at {hours:g} h") from None
