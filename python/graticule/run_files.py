"""Reads the files of a run folder: metrics.jsonl, scores.json, recipe.toml, forecast and truth fields."""

import json
import tomllib
from pathlib import Path

import numpy as np
import xarray as xr

from graticule import cell_maps

NEEDED = [("data", "path"), ("data", "targets"), ("train", "steps")]  # of a recipe; the program writes every key


class MissingError(Exception):
    """A file that is needed is missing or not readable; the text names it and the way out."""


def read_json_lines(path):
    """The objects of a file with one JSON object a line. A last line cut short by a crash is left out."""
    if not path.exists():
        raise MissingError(f"[run] {path} is not there: train first (graticule train RECIPE.toml)")
    lines = path.read_text().splitlines()
    objects = []
    for number, line in enumerate(lines, start=1):
        try:
            objects.append(json.loads(line))
        except json.JSONDecodeError as error:
            if number < len(lines):
                raise MissingError(f"[run] {path}, line {number} is not JSON: {error.msg}") from None
    return objects


def training_lines(run):
    """Training lines of metrics.jsonl by ascending step; of a step that was repeated, the last line."""
    path = run / "metrics.jsonl"
    steps = {line["step"]: line for line in read_json_lines(path) if "loss" in line}
    if not steps:
        raise MissingError(f"[run] {path} has no line with a loss: train at least one step")
    return [steps[step] for step in sorted(steps)]


def recipe(run):
    """recipe.toml of a run folder, as text and as a dictionary of its sections."""
    path = run / "recipe.toml"
    if not path.is_file():
        raise MissingError(f"[run] {run} is not a run folder: it has no recipe.toml, which graticule train writes")
    try:
        text = path.read_text()
        sections = tomllib.loads(text)
        lacking = [key for section, key in NEEDED if key not in sections.get(section, {})]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MissingError(f"[run] {path} is not TOML: {error}") from None
    if lacking:
        raise MissingError(f"[run] {path} lacks {', '.join(lacking)}: give a run folder that graticule train wrote")
    return text, sections


def record(run, name):
    """A JSON object that the program writes beside the metrics, such as machine.json; empty where it is not there."""
    try:
        content = json.loads((run / name).read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def scores(run):
    """scores.json; its rows `scores` have variable, lead_hours, forecast, rmse, acc, units."""
    path = run / "scores.json"
    if not path.exists():
        raise MissingError(f"[run] {path} is not there: score the model first (graticule eval CHECKPOINT)")
    try:
        content = json.loads(path.read_text())
        content["scores"] = [{"acc": None, "units": "", **row} for row in content["scores"]]
    except (json.JSONDecodeError, KeyError, TypeError):
        raise MissingError(f"[run] {path} is not an object with a list `scores`: run graticule eval again") from None
    if not content["scores"]:
        raise MissingError(f"[run] {path} has no scores: run graticule eval again")
    if "task" in content:
        raise MissingError(f"[run] {path} has scores of the task {content['task']}: only those of forecasts are drawn")
    return {"convention": "wb2", **content}


def find_fields(run, stem, given):
    """The given file, or RUN/stem.nc, or RUN/stem.zarr; MissingError if there is none."""
    candidates = [Path(given)] if given else [run / f"{stem}.nc", run / f"{stem}.zarr"]
    for path in candidates:
        if path.exists():
            return path
    way_out = "give another --" + stem if given else "make it (graticule forecast CHECKPOINT --truth ...)"
    raise MissingError(f"[run] {' or '.join(map(str, candidates))} is not there: {way_out}")


def open_fields(path):
    """The data set with dims time, prediction_timedelta, [level], latitude, longitude, latitude ascending. Fields on
    cells become pictures of them (cell_maps), with the attribute `cells`."""
    options = {"engine": "zarr", "consolidated": None} if path.is_dir() else {}
    try:
        fields = xr.open_dataset(path, decode_timedelta=True, **options)
    except (OSError, ValueError, KeyError) as error:
        raise MissingError(f"[run] {path} cannot be read as NetCDF or Zarr: {error}") from None
    if "cell" in fields.dims and {"latitude", "longitude"} <= set(fields.coords):
        fields = cell_maps.as_picture(fields)
    absent = [d for d in ("time", "prediction_timedelta", "latitude", "longitude") if d not in fields.dims]
    if absent:
        raise MissingError(
            f"[run] {path} has no dimension {', '.join(absent)}: give a file that graticule forecast wrote"
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
        raise MissingError(f"[run] {path} has no {variable}: choose of {', '.join(variable_names(fields))}")
    field = select(fields, variable)
    try:
        return field.sel(time=time, prediction_timedelta=lead).transpose("latitude", "longitude").load()
    except KeyError:
        hours = lead / np.timedelta64(1, "h")
        raise MissingError(f"[run] {path} has no forecast from {time} at {hours:g} h") from None
