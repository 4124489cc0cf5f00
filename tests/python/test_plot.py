"""Tests the plots of an invented run folder: the pictures, and the messages if something is missing."""

import json

import numpy as np
import pytest
import xarray as xr

from seed import seeded

pytest.importorskip("matplotlib")
from graticule import plot, run_files

VARIABLES = {"geopotential@500": "m2/s2", "2m_temperature": "K"}


def write_metrics(run, steps=300):
    random = seeded(0)
    lines = []
    for step in range(1, steps + 1):
        loss = 0.9 * np.exp(-step / 80) + 0.12 + 0.02 * random.random()
        lines.append({"step": step, "loss": loss, "lr": 1e-3, "grad_norm": 1.0, "tokens_per_s": 1e4, "step_s": 0.1})
    lines.append({"step": steps, "kind": "evaluation", "variable": "2m_temperature", "lead_hours": 24, "rmse": 1.0})
    (run / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)) + '\n{"step": 301, "lo')


def write_scores(run, leads=(24, 48, 72, 96, 120)):
    rows = []
    for variable, units in VARIABLES.items():
        scale = 500 if units != "K" else 2.5
        for lead in leads:
            growth = np.sqrt(lead / 24)
            made_up = {
                "model": (0.5 * growth, 0.99 - lead / 400),
                "persistence": (growth, 0.9 - lead / 200),
                "climatology": (1.6, None),
            }
            for forecast, (error, acc) in made_up.items():
                row = {"variable": variable, "lead_hours": lead, "forecast": forecast, "units": units}
                rows.append(row | {"rmse": scale * error, "acc": acc})
    (run / "scores.json").write_text(json.dumps({"convention": "wb2", "checkpoint": "step-300", "scores": rows}))


def write_fields(run, suffix=".nc"):
    latitude = np.linspace(-87.1875, 87.1875, 32)[::-1]
    longitude = np.arange(64) * 5.625
    lead = np.array([24, 48], dtype="timedelta64[h]").astype("timedelta64[ns]")
    y, x = np.meshgrid(np.deg2rad(latitude), np.deg2rad(longitude), indexing="ij")
    pattern = np.stack([np.cos(y) ** 3 * np.cos(5 * x - k) for k in range(2)])[None]
    for stem, shift in (("truth", 0.0), ("forecast", 0.25)):
        moved = np.stack([np.cos(y) ** 3 * np.cos(5 * x - k - shift) for k in range(2)])[None]
        z = 56000 - 9000 * np.sin(y) ** 2 + 1500 * moved
        t = 300 - 50 * np.sin(y) ** 2 + 4 * (moved + 0.1 * pattern)
        dims = ("time", "prediction_timedelta", "latitude", "longitude")
        levels = ("time", "prediction_timedelta", "level", "latitude", "longitude")
        fields = xr.Dataset(
            {
                "geopotential": (levels, z[:, :, None].astype("f4"), {"units": "m2/s2"}),
                "2m_temperature": (dims, t.astype("f4"), {"units": "K"}),
            },
            {
                "time": np.array(["2002-03-01T06"], dtype="datetime64[ns]"),
                "prediction_timedelta": lead,
                "level": [500],
                "latitude": latitude,
                "longitude": longitude,
            },
            {"source": "synthetic:rows=32,columns=64"},
        )
        if suffix == ".nc":
            fields.to_netcdf(run / f"{stem}.nc")
        else:
            fields.to_zarr(run / f"{stem}.zarr")


def drawn(folder):
    return sorted(path.name for path in folder.glob("*.png"))


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_a_whole_run_is_drawn(tmp_path, suffix):
    write_metrics(tmp_path)
    write_scores(tmp_path)
    write_fields(tmp_path, suffix)
    assert plot.main([str(tmp_path), "--out", str(tmp_path / "pictures")]) == 0
    names = [f"{kind}-{v.replace('@', '_')}.png" for kind in ("map", "scores") for v in VARIABLES]
    assert drawn(tmp_path / "pictures") == sorted(["loss.png", "overview.png", *names])


def test_what_is_missing_is_named_and_the_rest_drawn(tmp_path, capsys):
    write_metrics(tmp_path)
    write_scores(tmp_path, leads=(24,))
    assert plot.main([str(tmp_path)]) == 0
    assert "forecast.nc" in capsys.readouterr().err
    assert drawn(tmp_path / "plots") == ["loss.png", "scores-2m_temperature.png", "scores-geopotential_500.png"]


def test_nothing_to_draw_is_an_error(tmp_path, capsys):
    assert plot.main([str(tmp_path)]) == 2
    assert "metrics.jsonl is not there: train first" in capsys.readouterr().err
    assert plot.main([str(tmp_path / "nowhere")]) == 2
    assert "is not a folder" in capsys.readouterr().err


def test_mistakes_are_named(tmp_path, capsys):
    write_fields(tmp_path)
    assert plot.main([str(tmp_path), "--variables", "vorticity@500"]) == 2
    assert "no vorticity@500 here: choose of geopotential@500, 2m_temperature" in capsys.readouterr().err
    assert plot.main([str(tmp_path), "--lead", "7"]) == 2
    assert "no lead of 7 h: choose of 24, 48" in capsys.readouterr().err
    (tmp_path / "scores.json").write_text("[]")
    (tmp_path / "truth.nc").write_bytes(b"not a file of any kind")
    assert plot.main([str(tmp_path)]) == 2
    errors = capsys.readouterr().err
    assert "is not an object with a list `scores`" in errors
    assert "cannot be read as NetCDF or Zarr" in errors


def test_a_repeated_step_counts_as_done_last(tmp_path):
    lines = [{"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.0}, {"step": 2, "loss": 1.0}]
    (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert [line["loss"] for line in run_files.training_lines(tmp_path)] == [3.0, 1.0]
