"""Compares how fast this library and xarray read 23 variables on a 128 x 256 grid, on one core.

    bench/read_fields.py PROGRAM [--times 64] [--folder DIR]      PROGRAM: build/bench/bench/read_fields

Both open the file and read all fields of one time after another into one array (the order of training), from the page
cache; the best of three counts. If chunks contain many times, xarray reads each variable as a whole, which is faster
for it. First the script compares the sums of the values.
"""

import argparse
import json
import os
import pathlib
import subprocess
import tempfile
import time

import numpy as np
import xarray as xr
import zarr
from numcodecs import Blosc, blosc

LEVELS = [500, 700, 850]


def make_data(times):
    """Makes 6 variables on 3 levels and 5 at the surface: smooth waves with noise in the last bits, so that they
    compress as weather does."""
    random = np.random.default_rng(0)
    rows, columns = np.linspace(-89.3, 89.3, 128), np.arange(256) * 360 / 256
    waves = np.sin(np.radians(rows))[:, None] * np.cos(np.radians(3 * columns))[None]
    coordinates = {
        "time": np.datetime64("2001-01-01", "ns") + np.arange(times) * np.timedelta64(6, "h"),
        "level": ("level", LEVELS, {"units": "hPa"}),
        "latitude": ("latitude", rows, {"units": "degrees_north"}),
        "longitude": ("longitude", columns, {"units": "degrees_east"}),
    }
    fields = {}
    for i in range(11):
        shape = (times, 3, 128, 256) if i < 6 else (times, 128, 256)
        dims = ("time", "level", "latitude", "longitude") if i < 6 else ("time", "latitude", "longitude")
        fields[f"field_{i}"] = (dims, (270 + 20 * waves + random.normal(0, 0.3, shape)).astype("f4"))
    return xr.Dataset(fields, coordinates)


def write_cases(data, folder):
    lz4 = Blosc("lz4", 5, Blosc.SHUFFLE)
    whole = {n: {"chunks": (1, *f.shape[1:]), "compressors": lz4} for n, f in data.data_vars.items()}
    eight = {n: {"chunks": (8, *f.shape[1:]), "compressors": lz4} for n, f in data.data_vars.items()}
    data.to_zarr(folder / "one.zarr", mode="w", zarr_format=2, encoding=whole)
    data.to_zarr(folder / "eight.zarr", mode="w", zarr_format=2, encoding=eight)
    data.to_zarr(folder / "default3.zarr", mode="w", encoding={n: {"chunks": e["chunks"]} for n, e in whole.items()})
    deflate = {
        n: {"zlib": True, "complevel": 1, "shuffle": True, "chunksizes": (1, *f.shape[1:])}
        for n, f in data.data_vars.items()
    }
    data.to_netcdf(folder / "deflate.nc", encoding=deflate)
    data.to_netcdf(folder / "plain.nc")
    long = {n: {"chunks": f.shape} for n, f in data.data_vars.items()}
    data.to_zarr(folder / "long.zarr", mode="w", encoding=long)
    along = {
        n: {"zlib": True, "complevel": 1, "shuffle": True, "chunksizes": (*f.shape[:-2], 16, 32)}
        for n, f in data.data_vars.items()
    }
    data.to_netcdf(folder / "along.nc", encoding=along)
    packing = {
        n: {"dtype": "int16", "scale_factor": 0.002, "add_offset": 270.0, "_FillValue": -32767} for n in data.data_vars
    }
    data.to_netcdf(folder / "packed3.nc", format="NETCDF3_64BIT", encoding=packing)
    return {
        "Zarr 2, Blosc lz4, chunk of 1 time": folder / "one.zarr",
        "Zarr 2, Blosc lz4, chunk of 8 times": folder / "eight.zarr",
        "Zarr 3, zstd, chunk of 1 time": folder / "default3.zarr",
        "NetCDF-4, deflate 1, shuffle": folder / "deflate.nc",
        "NetCDF-4, contiguous": folder / "plain.nc",
        "NetCDF-3, packed in 16 bits": folder / "packed3.nc",
        "Zarr 3, zstd, one chunk of all times": folder / "long.zarr",
        "NetCDF-4, deflate 1, chunks of all times": folder / "along.nc",
    }


def read_with_xarray(path, repeats=3):
    best, total, size = float("inf"), 0.0, 0
    for _ in range(repeats):
        begin = time.perf_counter()
        options = {"chunks": None} if path.suffix == ".zarr" else {}
        with xr.open_dataset(path, engine="zarr" if path.suffix == ".zarr" else "netcdf4", **options) as data:
            total, size = 0.0, 0
            if path.stem in ("long", "along"):
                data.load()
            for t in range(data.sizes["time"]):
                moment = data.isel(time=t)
                fields = [
                    np.asarray(moment[name].values, "f4").reshape(-1, 128, 256) for name in sorted(data.data_vars)
                ]
                state = np.concatenate(fields)
                total += float(state.reshape(-1)[t])
                size += state.nbytes
        best = min(best, time.perf_counter() - begin)
    return {"bytes": size, "seconds": best, "mb_per_s": size / best / 1e6, "check": total}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--times", type=int, default=64)
    parser.add_argument("--folder", type=pathlib.Path)
    options = parser.parse_args()
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[0]})
    blosc.set_nthreads(1)
    zarr.config.set({"threading.max_workers": 1, "async.concurrency": 1})
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or pathlib.Path(scratch)
        for name, path in write_cases(make_data(options.times), folder).items():
            theirs = read_with_xarray(path)
            ours = json.loads(
                subprocess.run([options.program, path], capture_output=True, check=True, text=True).stdout
            )
            if abs(ours["check"] - theirs["check"]) > 1e-3 or ours["bytes"] != theirs["bytes"]:
                raise SystemExit(f"{name}: {ours} read, xarray has {theirs}")
            ratio = ours["mb_per_s"] / theirs["mb_per_s"]
            row = {
                "case": name,
                "mb_per_s": ours["mb_per_s"],
                "xarray_mb_per_s": round(theirs["mb_per_s"], 1),
                "ratio": round(ratio, 2),
            }
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
