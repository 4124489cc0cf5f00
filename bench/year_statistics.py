"""Compares `graticule data stats` with xarray and dask, on 23 variables of a 128 x 256 grid.

    bench/year_statistics.py PROGRAM [--times 365] [--threads 2] [--turns 3] [--folder DIR]

PROGRAM: build/release/graticule. Both compute the mean and the deviation of every variable, and the deviation of its
difference from a day before, from a Zarr store with one time a chunk, in turns. Medians of the seconds and of those of
the processor (of dask without Python's imports), and the largest memory of the processes in MB. Every turn compares the
results.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
from read_fields import make_data

WITH_DASK = """
import sys, time
import dask, numpy as np, xarray as xr
begin, cpu = time.perf_counter(), time.process_time()
data = xr.open_zarr(sys.argv[1])
axes = ["time", "latitude", "longitude"]
wanted = data.mean(axes), data.std(axes), data.diff("time").std(axes)
with dask.config.set(scheduler="threads", num_workers=int(sys.argv[2])):
    done = dask.compute(*wanted)
seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
results = [np.concatenate([part[name].values.ravel() for name in sorted(part)]).tolist() for part in done]
print(results, seconds, cpu, sep=";")
"""


def measured(command):
    """The output of a process, its seconds, those of the processor, and its largest memory in MB."""
    begin = time.perf_counter()
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, command
    cpu = usage.ru_utime + usage.ru_stime
    return output, time.perf_counter() - begin, cpu, usage.ru_maxrss / 1024


def with_dask(options, path):
    output, _, _, memory = measured([sys.executable, "-W", "ignore", "-c", WITH_DASK, path, options.threads])
    results, seconds, cpu = output.split(";")
    return json.loads(results), float(seconds), float(cpu), memory


def with_ours(options, path):
    output, seconds, cpu, memory = measured([options.program, "data", "stats", path])
    each = json.loads(output)["variables"]
    names = sorted(each, key=lambda name: (name.partition("@")[0], float(name.partition("@")[2] or 0)))
    values = [(each[n]["mean"], each[n]["deviation"], each[n]["difference_deviation"]["24"]) for n in names]
    return list(zip(*values, strict=True)), seconds, cpu, memory


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--times", type=int, default=365)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--folder", type=pathlib.Path)
    options = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
    with tempfile.TemporaryDirectory() as scratch:
        path = (options.folder or pathlib.Path(scratch)) / "year.zarr"
        if not path.exists():
            data = make_data(options.times)
            data["time"] = np.datetime64("2001-01-01", "ns") + np.arange(options.times) * np.timedelta64(24, "h")
            data.to_zarr(path, encoding={n: {"chunks": (1, *f.shape[1:])} for n, f in data.data_vars.items()})
        turns = {"ours": [], "dask": []}
        for _ in range(options.turns):
            ours, dask = with_ours(options, path), with_dask(options, path)
            np.testing.assert_allclose(ours[0], dask[0], rtol=1e-3)
            turns["ours"].append(ours[1:]), turns["dask"].append(dask[1:])
    for i, name in enumerate(("seconds", "cpu", "memory")):
        ours, dask = (statistics.median(turn[i] for turn in each) for each in turns.values())
        print(json.dumps({"by": name, "ours": round(ours, 2), "dask": round(dask, 2), "ratio": round(dask / ours, 2)}))


if __name__ == "__main__":
    main()
