"""Writes the target: a store in Zarr format 2, in WeatherBench 2's layout. It grows by a month at a time.

The time axis grows last, so at any moment the store has `length` complete times. A stopped run continues there and
writes the unfinished month again. The bytes are those of a run without a stop.
"""

import os

import numcodecs
import numpy as np
import zarr
from source import RefusedError

COMPRESSOR = numcodecs.Blosc(cname="lz4", clevel=5, shuffle=numcodecs.Blosc.SHUFFLE)
EPOCH = np.datetime64("1959-01-01T00", "h")
TIMES_OF_A_FILE = 65536
COORDINATES = {
    "latitude": {"units": "degrees_north", "standard_name": "latitude"},
    "longitude": {"units": "degrees_east", "standard_name": "longitude"},
    "level": {"units": "hPa", "standard_name": "air_pressure"},
    "time": {"units": "hours since 1959-01-01", "calendar": "proleptic_gregorian", "standard_name": "time"},
}


def _add(group, name, dims, values=None, **array):
    if values is not None:
        array = {"shape": values.shape, "chunks": values.shape, "dtype": values.dtype, "fill_value": None}
    made = group.create_array(name, compressors=COMPRESSOR, **array)
    made.attrs.update({"_ARRAY_DIMENSIONS": list(dims), **COORDINATES.get(name, {})})
    if values is not None:
        made[...] = values
    return made


def create(path, shapes, attributes, coordinates, chunk):
    """An empty store. `shapes`: variable -> (its dims, its size along each; 0 along time)."""
    group = zarr.open_group(path, mode="w", zarr_format=2)
    for name, values in coordinates.items():
        _add(group, name, (name,), np.asarray(values))
    for name, (dims, sizes) in shapes.items():
        chunks = [chunk if dim == "time" else size for dim, size in zip(dims, sizes, strict=True)]
        made = _add(group, name, dims, shape=sizes, chunks=chunks, dtype="float32", fill_value=np.nan)
        made.attrs.update(attributes[name])
    _add(group, "time", ("time",), shape=(0,), chunks=(TIMES_OF_A_FILE,), dtype="int64", fill_value=None)
    zarr.consolidate_metadata(path, zarr_format=2)


def times_in(path):
    group = zarr.open_group(path, mode="r", zarr_format=2, use_consolidated=False)
    return EPOCH + group["time"][...].astype("timedelta64[h]")


def require_same(path, shapes, coordinates, chunk, times):
    """Refuses a store that another command began; returns the number of times that it has."""
    try:
        group = zarr.open_group(path, mode="r", zarr_format=2, use_consolidated=False)
        had = times_in(path)
    except (FileNotFoundError, KeyError):
        raise RefusedError(f"{path} is there and is no store of this tool: name another, or remove it") from None

    def differs(what):
        raise RefusedError(f"{path} is there with {what}: give the command that began it, or name another")

    for name, values in coordinates.items():
        if name not in group or not np.array_equal(group[name][...], values):
            differs(f"another {name}")
    found = {name for name in group.array_keys() if name not in COORDINATES}
    if found != set(shapes) or any(tuple(group[name].attrs["_ARRAY_DIMENSIONS"]) != shapes[name][0] for name in found):
        differs(f"the variables {' '.join(sorted(found))}")
    if any(group[name].chunks[0] != chunk for name in found if shapes[name][0][0] == "time"):
        differs("another --chunk")
    if not np.array_equal(had, times[: len(had)]):
        differs(f"times from {had[0]} to {had[-1]}")
    return len(had)


def put(path, name, fields, first=None):
    """Writes a constant, or a variable at the times from `first` on."""
    array = zarr.open_array(os.path.join(path, name), mode="r+", zarr_format=2)
    if first is None:
        array[...] = fields
        return
    end = first + len(fields)
    if array.shape[0] < end:
        array.resize((end, *array.shape[1:]))
    array[first:end] = fields


def lengthen(path, times):
    """Adds `times` to the time axis; the values written for them become part of the store."""
    group = zarr.open_group(path, mode="r+", zarr_format=2, use_consolidated=False)
    group["time"].resize((len(times),))
    group["time"][...] = (times - EPOCH).astype(np.int64)
    zarr.consolidate_metadata(path, zarr_format=2)
