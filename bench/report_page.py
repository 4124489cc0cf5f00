"""Measures the page of graticule report: time to make it, its size, time to open it in headless Chromium.

    PYTHONPATH=python .venv/bin/python bench/report_page.py [RUN...]

Without RUN it invents a run of 23 variables on 128 x 256 points, 10 leads, 6,000 steps.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import xarray as xr
from playwright.sync_api import sync_playwright

LEVELS = [250, 500, 700, 850, 925]
VARIABLES = [f"{name}@{level}" for name in ("geopotential", "temperature", "specific_humidity") for level in LEVELS]
VARIABLES += ["u_component_of_wind@500", "v_component_of_wind@500", "2m_temperature", "10m_u_component_of_wind"]
VARIABLES += ["10m_v_component_of_wind", "mean_sea_level_pressure", "surface_pressure", "total_column_water"]
ROWS, COLUMNS, LEADS, STEPS, REPEATS = 128, 256, 10, 6000, 5
MARKS = ["tables", "first figures", "all figures"]


def weather(random):
    """[lead, row, column]: noise whose power falls with the wavenumber as that of the atmosphere does."""
    wave = np.hypot(np.fft.fftfreq(ROWS)[:, None] * ROWS, np.fft.rfftfreq(COLUMNS) * COLUMNS) + 1
    noise = random.normal(size=(LEADS, ROWS, COLUMNS))
    return np.fft.irfft2(np.fft.rfft2(noise) * wave**-1.5, (ROWS, COLUMNS)).astype("f4")


def write_fields(run):
    random = np.random.default_rng(0)
    leads = (np.arange(1, LEADS + 1) * 24).astype("timedelta64[h]").astype("timedelta64[ns]")
    places = {"latitude": np.linspace(-89.3, 89.3, ROWS), "longitude": np.arange(COLUMNS) * 360 / COLUMNS}
    coordinates = {"time": np.array(["2020-01-05"], "datetime64[ns]"), "prediction_timedelta": leads, **places}
    parts = {"truth": [], "forecast": []}
    for name in VARIABLES:
        truth = weather(random)
        base, _, level = name.partition("@")
        for stem, values in (("truth", truth), ("forecast", 0.9 * truth + 0.2 * weather(random))):
            field = xr.DataArray(values[None], coordinates, list(coordinates), base, {"units": "K"})
            parts[stem].append(field.expand_dims(level=[int(level)], axis=2) if level else field)
    for stem, fields in parts.items():
        xr.merge(fields, join="outer", compat="no_conflicts").to_netcdf(run / f"{stem}.nc")


def write_run(run):
    """An invented run folder, with the files of train, eval and forecast."""
    run.mkdir()
    names = json.dumps(VARIABLES)
    data = f'[data]\npath = "era5.zarr"\nlead_hours = [24]\nvariables = {names}\ntargets = {names}\n'
    (run / "recipe.toml").write_text(f"{data}[model]\n[parallel]\nulysses = 2\n[train]\nsteps = {STEPS}\n")
    measures = {"lr": 1e-3, "grad_norm": 1.0, "tokens_per_s": 1e5, "step_s": 1.9, "data_wait_s": 1e-6}
    measures |= {"memory_bytes": 8e9, "tensor_peak_bytes": 7e9}
    lines = [{"step": step, "loss": 1 / step + 0.1, **measures} for step in range(1, STEPS + 1)]
    (run / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    errors = {"model": 0.5, "persistence": 1.0, "climatology": 1.5}
    rows = [
        {"variable": name, "lead_hours": 24 * lead, "forecast": kind, "units": "K", "rmse": error * lead, "acc": 0.9}
        for name in VARIABLES
        for lead in range(1, LEADS + 1)
        for kind, error in errors.items()
    ]
    (run / "scores.json").write_text(json.dumps({"convention": "wb2", "samples": 60, "scores": rows}))
    write_fields(run)


def seconds_to_make(run, out):
    begin = time.perf_counter()
    command = [sys.executable, "-m", "graticule", "report", str(run), "--out", str(out)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def seconds_to_open(browser, page_file):
    """Until the tables, the first figures and all figures are drawn, each from the begin of the navigation."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"file://{page_file}", timeout=120_000)
    page.wait_for_selector("html[data-ready=yes]", state="attached", timeout=120_000)
    marks = [page.evaluate(f"performance.getEntriesByName('{mark}')[0].startTime / 1000") for mark in MARKS]
    page.close()
    return marks


def measure(run, browser, folder):
    out = folder / "page.html"
    made = [seconds_to_make(run, out) for _ in range(REPEATS)]
    opened = [seconds_to_open(browser, out) for _ in range(REPEATS)]
    words = [
        f"{m} after {statistics.median(of):.2f} s (least {min(of):.2f})"
        for m, of in zip(MARKS, zip(*opened, strict=True), strict=True)
    ]
    print(
        f"{run}: made in {statistics.median(made):.1f} s (least {min(made):.1f}), {out.stat().st_size / 1e6:.1f} MB; "
        f"{', '.join(words)}; load {os.getloadavg()[0]:.1f}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", type=Path)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as name, sync_playwright() as started:
        folder = Path(name)
        if not runs:
            runs = [folder / "run-of-23-variables"]
            write_run(runs[0])
        path = shutil.which("chromium-headless-shell") or shutil.which("chromium")
        browser = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for run in runs:
            measure(run, browser, folder)
        browser.close()


if __name__ == "__main__":
    main()
