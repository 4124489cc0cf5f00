"""Tests tools/gcm: the program reads its store, and a killed run resumes to the same store."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from command import ROOT, graticule

xarray = pytest.importorskip("xarray")
pytest.importorskip("dinosaur")
TOOL = ROOT / "tools/gcm/make_dataset.py"
SHORT = ["--days", 3, "--spin-up", 1, "--settle", 1, "--piece", 1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("gcm")


def make(out, *more):
    command = [sys.executable, TOOL, "--out", out, *SHORT, *more]
    # One process compiles; the next ones use its cache.
    environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(out.parent / "compiled")}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(list(map(str, command)), env=environment, **pipes)


@pytest.fixture(scope="module")
def whole(folder):
    path = folder / "whole.zarr"
    assert make(path).wait() == 0
    return path


def test_a_killed_run_goes_on_and_makes_the_same(folder, whole):
    killed = folder / "killed.zarr"
    process = make(killed)
    assert "4 of 12 times" in process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not killed.exists()

    other = make(killed, "--seed", 3)
    assert other.wait() == 1 and "begun with other settings" in other.stderr.read()
    again = make(killed)
    assert again.wait() == 0 and "going on after" in again.stdout.readline()
    with xarray.open_zarr(whole) as one, xarray.open_zarr(killed) as two:
        xarray.testing.assert_identical(one.load(), two.load())

    info = json.loads(graticule("data", "info", whole, "--json", check=True).stdout)
    assert info["times"]["count"] == 12, info
    repeated = make(whole)
    assert repeated.wait() == 2 and "exists" in repeated.stderr.read()


def test_the_atmosphere_is_in_balance(whole):
    with xarray.open_zarr(whole) as made:
        latitude = made.latitude.values
        assert np.allclose(latitude, np.linspace(-87.1875, 87.1875, 32)) and made.sizes["longitude"] == 64
        # Hydrostatic: thickness between levels follows from the mean temperature, to the error of linear temperature.
        thickness = made.geopotential.sel(level=500) - made.geopotential.sel(level=850)
        mean = (made.temperature.sel(level=500) + made.temperature.sel(level=850)) / 2
        assert float(abs(thickness / (287 * mean * np.log(850 / 500)) - 1).max()) < 0.03
        sunny = made.toa_incident_solar_radiation.mean(("time", "longitude")).values
        assert sunny[0] > sunny[-1] == 0, "January: day at the south pole, night at the north pole"
        assert (made.specific_humidity >= 0).all()
