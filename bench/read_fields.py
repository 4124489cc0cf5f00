"""Compares how fast this library and others read 23 variables on a 128 x 256 grid.

    bench/read_fields.py PROGRAM [--times 64] [--threads 1] [--parts 1] [--turns 5] [--folder DIR] [--case WORDS]

PROGRAM: build/bench/bench/read_fields. All read all fields of one time after another into one array (the order of
training), from the page cache. The medians of several turns count, in which all take their turns: MB by seconds, and by
seconds of the processor, which count on a machine that has other work. Others: xarray,
tensorstore and zarr-python (with the codecs of zarrs, pip install zarrs) for Zarr, xarray and h5py for NetCDF-4, and
h5py for makani's HDF5. If chunks contain many times, xarray reads each variable as a whole, which is faster for it.
`--parts 4` reads a quarter of the rows. Every turn compares the sums of the values. `--case` takes the cases with
these words.
"""

import argparse
import importlib.util
import json
import os
import pathlib
import statistics
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


def write_makani(data, folder):
    """A channel for each field, in the order of their names here, which are ours in alphabetical order."""
    import h5py

    levels = sorted(range(100, 100 + 23), key=str)
    with h5py.File(folder / "makani.h5", "w") as file:
        file["fields"] = np.stack(
            [joined([data[n][t].values for n in data.data_vars]) for t in range(data.sizes["time"])]
        )
        file["channel"] = np.array([f"t_{level}" for level in levels], dtype="S")
        file["timestamp"] = data.time.values.astype("datetime64[s]").astype("f8")
        file["lat"], file["lon"] = data.latitude.values, data.longitude.values
    return folder / "makani.h5"


def write_cases(data, folder):
    lz4 = Blosc("lz4", 5, Blosc.SHUFFLE)
    whole = {n: {"chunks": (1, *f.shape[1:]), "compressors": lz4} for n, f in data.data_vars.items()}
    eight = {n: {"chunks": (8, *f.shape[1:]), "compressors": lz4} for n, f in data.data_vars.items()}
    data.to_zarr(folder / "one.zarr", mode="w", zarr_format=2, encoding=whole)
    data.to_zarr(folder / "eight.zarr", mode="w", zarr_format=2, encoding=eight)
    data.to_zarr(folder / "default3.zarr", mode="w", encoding={n: {"chunks": e["chunks"]} for n, e in whole.items()})
    sharded = {n: {"chunks": (1, *f.shape[1:]), "shards": (16, *f.shape[1:])} for n, f in data.data_vars.items()}
    data.to_zarr(folder / "sharded.zarr", mode="w", encoding=sharded)
    plain = {n: {"chunks": (1, *f.shape[1:]), "compressors": None} for n, f in data.data_vars.items()}
    data.to_zarr(folder / "plain.zarr", mode="w", encoding=plain)
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
        "Zarr 3, zstd, sharded, 16 times a shard": folder / "sharded.zarr",
        "Zarr 3, uncompressed": folder / "plain.zarr",
        "NetCDF-4, deflate 1, shuffle": folder / "deflate.nc",
        "NetCDF-4, contiguous": folder / "plain.nc",
        "NetCDF-3, packed in 16 bits": folder / "packed3.nc",
        "Zarr 3, zstd, one chunk of all times": folder / "long.zarr",
        "NetCDF-4, deflate 1, chunks of all times": folder / "along.nc",
        "HDF5 of makani, uncompressed": write_makani(data, folder),
    }


def read_states(times, state_at):
    """Reads all states. Returns the sum of one value of each, and the bytes."""
    total, size = 0.0, 0
    for t in range(times):
        state = state_at(t)
        total += float(state.reshape(-1)[t])
        size += state.nbytes
    return total, size


def joined(fields):
    return np.concatenate([np.asarray(field, "f4").reshape(-1, *field.shape[-2:]) for field in fields])


def read_with_xarray(path, rows, threads):
    options = {"chunks": None} if path.suffix == ".zarr" else {}
    with xr.open_dataset(path, engine="zarr" if path.suffix == ".zarr" else "netcdf4", **options) as data:
        names = sorted(data.data_vars)
        data = data.isel(latitude=slice(0, rows))
        if path.stem in ("long", "along"):
            data.load()
        return read_states(data.sizes["time"], lambda t: joined([data[n].isel(time=t).values for n in names]))


def read_with_tensorstore(path, rows, threads):
    import tensorstore

    version = 3 if (path / "zarr.json").exists() else 2
    names = sorted(f.name for f in path.iterdir() if f.name.startswith("field"))
    context = tensorstore.Context({"data_copy_concurrency": {"limit": threads}})

    def opened(name):
        place = {"driver": "file", "path": str(path / name)}
        spec = {"driver": "zarr3" if version == 3 else "zarr", "kvstore": place}
        return tensorstore.open(spec, context=context)

    arrays = [future.result() for future in [opened(name) for name in names]]

    def state_at(t):
        futures = [array[t, ..., :rows, :].read() for array in arrays]
        return joined([future.result() for future in futures])

    return read_states(arrays[0].shape[0], state_at)


def read_with_zarr(path, rows, threads):
    group = zarr.open_group(path, mode="r")
    arrays = [group[name] for name in sorted(group.array_keys()) if name.startswith("field")]
    return read_states(arrays[0].shape[0], lambda t: joined([array[t, ..., :rows, :] for array in arrays]))


def read_with_h5py(path, rows, threads):
    import h5py

    with h5py.File(path) as file:
        if path.suffix == ".h5":
            fields = file["fields"]
            return read_states(fields.shape[0], lambda t: fields[t, :, :rows, :])
        arrays = [file[name] for name in sorted(file) if name.startswith("field")]
        return read_states(arrays[0].shape[0], lambda t: joined([array[t, ..., :rows, :] for array in arrays]))


def others_for(path, threads):
    """The readers to compare with, by name."""
    if path.suffix == ".h5":
        return {"h5py": read_with_h5py}
    if path.suffix == ".nc":
        one = {"xarray": read_with_xarray}
        return one if path.stem == "packed3" or threads > 1 else {**one, "h5py": read_with_h5py}
    return {"xarray": read_with_xarray, "tensorstore": read_with_tensorstore, "zarr-python": read_with_zarr}


def timed(reader, *arguments):
    begin, cpu = time.perf_counter(), time.process_time()
    total, size = reader(*arguments)
    seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    return {"seconds": seconds, "cpu": cpu, "check": total, "bytes": size}


def ours(program, path, threads, parts):
    command = [program, path, "1", str(threads), str(parts)]
    return json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def compare(program, name, path, options):
    others, each = others_for(path, options.threads), {}
    for _ in range(options.turns):
        turns = {"ours": ours(program, path, options.threads, options.parts)}
        for other, reader in others.items():
            turns[other] = timed(reader, path, 128 // options.parts, options.threads)
        for who, turn in turns.items():
            if abs(turn["check"] - turns["ours"]["check"]) > 1e-3 or turn["bytes"] != turns["ours"]["bytes"]:
                raise SystemExit(f"{name}: {turns['ours']} read, {who} has {turn}")
            each.setdefault(who, []).append(turn)
    for clock in ("seconds", "cpu"):
        medians = {who: statistics.median(turn[clock] for turn in turns) for who, turns in each.items()}
        rates = {who: round(turns["ours"]["bytes"] / median / 1e6) for who, median in medians.items()}
        ratio = rates["ours"] / max(rate for who, rate in rates.items() if who != "ours")
        print(json.dumps({"case": name, "by": clock, **rates, "to_the_fastest": round(ratio, 2)}), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--times", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--parts", type=int, default=1)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--folder", type=pathlib.Path)
    parser.add_argument("--case", default="")
    options = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
    blosc.set_nthreads(options.threads)
    zarr.config.set({"threading.max_workers": options.threads, "async.concurrency": options.threads})
    if importlib.util.find_spec("zarrs"):
        zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"})
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or pathlib.Path(scratch)
        for name, path in write_cases(make_data(options.times), folder).items():
            if options.case in name:
                compare(options.program, name, path, options)


if __name__ == "__main__":
    main()
