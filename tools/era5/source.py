"""Opens the source: a Zarr store or NetCDF file in WeatherBench 2's layout, local or remote."""

import difflib
import importlib.util

import numpy as np
import overlap
import xarray as xr

PACKAGES = {"gs": ("gcsfs", {"token": "anon"}), "s3": ("s3fs", {"anon": True}), "https": ("aiohttp", {})}
NAMES = {"lat": "latitude", "lon": "longitude", "valid_time": "time", "pressure_level": "level"}


class RefusedError(Exception):
    """An error that the user can correct; one line."""


def open_source(path):
    """The data set with WeatherBench 2's names of dimensions; only the coordinates are read."""
    kind = path.partition("://")[0] if "://" in path else None
    if kind and kind not in PACKAGES:
        raise RefusedError(f"{path}: choose a local path, or one that begins with gs://, s3:// or https://")
    package, options = PACKAGES[kind] if kind else (None, None)
    for needed in ("fsspec", package) if package else ():
        if importlib.util.find_spec(needed) is None:
            raise RefusedError(f"{path} needs the Python package {needed}: .venv/bin/python -m pip install {needed}")
    try:
        if path.rstrip("/").endswith(".nc"):
            found = xr.open_dataset(path)
        else:
            found = xr.open_zarr(path, chunks=None, storage_options=options)
    except (FileNotFoundError, KeyError, ValueError) as error:
        raise RefusedError(
            f"{path}: no Zarr store or NetCDF file can be read there ({error})".splitlines()[0]
        ) from None
    found = found.rename({old: new for old, new in NAMES.items() if old in found.dims and new not in found.dims})
    for dim in ("time", "latitude", "longitude"):
        if dim not in found.indexes:
            raise RefusedError(f"{path} has no coordinate {dim}; it has {', '.join(map(str, found.indexes)) or 'none'}")
    trouble = overlap.trouble_with(found.latitude.values, found.longitude.values)
    if trouble:
        raise RefusedError(f"{path} is no global grid: {trouble}")
    return found


def chosen(found, variables, levels, times):
    """Selects these variables, levels (if a variable has levels) and times; refuses one that does not exist."""
    for name in variables:
        if name not in found.data_vars:
            close = difflib.get_close_matches(name, map(str, found.data_vars), 1, 0)
            raise RefusedError(f"the source has no variable {name}: did you mean {close[0] if close else 'none'}?")
    absent = [name for name in variables if not {"latitude", "longitude"} <= set(found[name].dims)]
    extra = set().union(*(found[name].dims for name in variables)) - {"time", "level", "latitude", "longitude"}
    if absent or extra:
        raise RefusedError(f"variables over {', '.join(map(str, extra)) or 'no grid'} are not regridded")
    picked = found[list(variables)]
    if "level" in picked.dims:
        missing = sorted(set(levels) - set(map(int, found.level.values)))
        if missing:
            has = " ".join(str(int(level)) for level in np.sort(found.level.values))
            raise RefusedError(f"the source has no level {missing[0]} hPa: choose from {has}")
        picked = picked.sel(level=sorted(set(levels)))
    lost = times[~np.isin(times, found.time.values)]
    if len(lost):
        raise RefusedError(f"the source lacks {len(lost)} of {len(times)} times, the first is {lost[0]}")
    return picked
