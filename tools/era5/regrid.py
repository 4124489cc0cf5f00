#!/usr/bin/env python3
"""Regrids ERA5, or other data in WeatherBench 2's layout, a month at a time. After a stop the same command continues.

  python tools/era5/regrid.py --out data/era5_128x256.zarr \\
    --source gs://weatherbench2/datasets/era5/1959-2022-6h-1440x721.zarr

docs/era5.md lists the public stores and says how much disk and time this takes.
"""

import argparse
import itertools
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # parallelism comes from --jobs

import numpy as np
import overlap
import target
from source import RefusedError, chosen, open_source

VARIABLES = [
    "temperature", "u_component_of_wind", "v_component_of_wind", "geopotential", "specific_humidity",
    "surface_pressure", "mean_sea_level_pressure", "2m_temperature", "10m_u_component_of_wind",
    "10m_v_component_of_wind", "toa_incident_solar_radiation", "land_sea_mask", "geopotential_at_surface",
]  # fmt: skip
DIMS = ("time", "level", "latitude", "longitude")
BYTES_AT_ONCE = 2**27


def grid(text):
    rows, _, columns = text.partition("x")
    if not (rows.isdigit() and columns.isdigit() and int(rows) > 0 and int(columns) > 0):
        raise argparse.ArgumentTypeError(f"{text}: choose ROWSxCOLUMNS, latitudes first, such as 128x256")
    return int(rows), int(columns)


def hours(text):
    number = text.removesuffix("h")
    if not number.isdigit() or int(number) < 1:
        raise argparse.ArgumentTypeError(f"{text}: choose whole hours, such as 6h")
    return int(number)


def day(text):
    try:
        return np.datetime64(text, "D")
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text}: choose a day, such as 1979-01-01") from None


def arguments(given):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", required=True, help="a Zarr store or NetCDF file: local, gs://, s3:// or https://")
    parser.add_argument("--out", required=True, help="the Zarr store to make, or to go on with")
    parser.add_argument("--variables", nargs="+", default=VARIABLES, help="default: those of recipes/climate_188416_*")
    parser.add_argument("--levels", type=int, nargs="+", default=[200, 500, 850], help="hPa (default: 200 500 850)")
    parser.add_argument("--grid", type=grid, default=(128, 256), help="latitudes x longitudes (default: 128x256)")
    parser.add_argument("--start", type=day, default=day("1979-01-01"), help="the first day (default: 1979-01-01)")
    parser.add_argument("--end", type=day, default=day("2020-12-31"), help="the last day (default: 2020-12-31)")
    parser.add_argument("--every", type=hours, default=6, help="hours between times (default: 6h)")
    parser.add_argument("--chunk", type=int, default=1, help="times of a chunk of the output (default: 1)")
    parser.add_argument("--jobs", type=int, default=4, help="variables under way at once, up to 1 GiB each (4)")
    parsed = parser.parse_args(given)
    if parsed.start > parsed.end:
        parser.error(f"--start {parsed.start} is after --end {parsed.end}")
    if min(parsed.chunk, parsed.jobs) < 1:
        parser.error(f"--chunk {parsed.chunk}, --jobs {parsed.jobs}: at least 1")
    return parsed


def months(times):
    """The first index of each month, and the end."""
    return [*np.flatnonzero(np.diff(times.astype("datetime64[M]"), prepend=np.datetime64(0, "M"))), len(times)]


def dims_of(field):
    return tuple(dim for dim in DIMS if dim in field.dims)


def read(field, weights):
    return overlap.regrid(field.transpose(*dims_of(field)).values, *weights)


def copy_times(found, path, weights, name, first, times):
    """Regrids one variable at `times` (as many at once as memory allows) into the store from `first` on."""
    piece = max(1, BYTES_AT_ONCE // (found[name].isel(time=0).size * 4))
    for at in range(0, len(times), piece):
        now = times[at : at + piece]
        fields = read(found[name].sel(time=now.astype("datetime64[ns]")), weights)
        empty = ~np.isfinite(fields).reshape(len(now), -1).any(axis=1)
        if empty.any():
            raise RefusedError(
                f"the source has no values of {name} at {now[empty.argmax()]}: take it from another source"
            )
        target.put(path, name, fields, first + at)


def copy_month(pool, found, path, weights, first, times):
    changing = [name for name in found.data_vars if "time" in found[name].dims]
    under_way = [pool.submit(copy_times, found, path, weights, name, first, times) for name in changing]
    for done in under_way:
        done.result()


def begin(path, found, weights, coordinates, chunk, times):
    """Makes the store with its constants, or checks an existing one; returns the number of times that it has."""
    sizes = {"time": 0, **{name: len(values) for name, values in coordinates.items()}}
    shapes = {
        name: (dims_of(found[name]), tuple(sizes[dim] for dim in dims_of(found[name]))) for name in found.data_vars
    }
    if os.path.exists(path):
        done = target.require_same(path, shapes, coordinates, chunk, times)
    else:
        attributes = {name: {k: v for k, v in found[name].attrs.items() if isinstance(v, str)} for name in shapes}
        target.create(path, shapes, attributes, coordinates, chunk)
        done = 0
    if done == 0:
        for name in found.data_vars:
            if "time" not in found[name].dims:
                target.put(path, name, read(found[name], weights))
    return done


def copy(options):
    times = np.arange(options.start, options.end + 1, np.timedelta64(options.every, "h"), dtype="datetime64[h]")
    found = chosen(open_source(options.source), options.variables, options.levels, times)
    latitudes, longitudes = overlap.equiangular(*options.grid)
    coordinates = {"latitude": latitudes, "longitude": longitudes}
    if "level" in found.dims:
        coordinates["level"] = found.level.values.astype(np.int64)
    weights = (
        overlap.row_weights(latitudes, found.latitude.values),
        overlap.column_weights(longitudes, found.longitude.values),
    )
    done = begin(options.out, found, weights, coordinates, options.chunk, times)
    started, before = time.monotonic(), done
    with ThreadPoolExecutor(options.jobs) as pool:
        for first, end in itertools.pairwise(months(times)):
            if end > done:
                first = max(first, done)
                copy_month(pool, found, options.out, weights, first, times[first:end])
                target.lengthen(options.out, times[:end])
                rate = (end - before) / (time.monotonic() - started) * 60
                print(f"{end} of {len(times)} times, {rate:.0f} a minute", flush=True)


def main(given=None):
    try:
        copy(arguments(given))
    except RefusedError as error:
        print(f"[era5] {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        sys.exit(f"[era5] {error}; the same command goes on from here")
    except KeyboardInterrupt:
        sys.exit("[era5] stopped; the same command goes on from here")


if __name__ == "__main__":
    main()
