"""Tests graticule.load: a trained model forecasts in Python what `graticule forecast` forecasts."""

import json

import numpy as np
import pytest

from command import graticule, write_recipe

torch, xarray = pytest.importorskip("torch"), pytest.importorskip("xarray")
package = pytest.importorskip("graticule")

INIT, STEPS = "2001-02-10T06", 3
TARGETS = ["2m_temperature", "geopotential@500", "temperature@500", "temperature@850"]
VARIABLES = [*TARGETS, "toa_incident_solar_radiation", "land_sea_mask"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A trained run with its export and its forecast, of a model that reads two states, forcings and the calendar."""
    folder = tmp_path_factory.mktemp("load")
    data = folder / "data.zarr"
    graticule("data", "synth", data, "--rows", 8, "--columns", 12, "--variables", 12, "--times", 200, check=True)
    named = f"variables = {json.dumps(VARIABLES)}\ntargets = {json.dumps(TARGETS)}\nhistory = 2"
    recipe = write_recipe(
        folder,
        steps=3,
        replace=[
            ('"synthetic:rows=8,columns=12,variables=6,times=200"', f"{json.dumps(str(data))}\n{named}"),
            ("dim = 32", "dim = 32\ncalendar = true"),
        ],
    )
    graticule("train", recipe, check=True)
    graticule("export", folder / "run", folder / "weights.safetensors", check=True)
    forecast = ("--init", INIT, "--steps", STEPS, "--out", folder / "forecast.nc")
    graticule("forecast", folder / "run", *forecast, check=True)
    return folder


def test_three_lines_forecast_what_the_program_forecasts(folder):
    model = package.load(folder / "weights.safetensors")
    data = xarray.open_dataset(folder / "data.zarr")
    forecast = model.forecast(data, INIT, steps=STEPS)

    with xarray.open_dataset(folder / "forecast.nc", decode_timedelta=True) as expected:
        expected = expected.sortby("latitude")
        for name in {name.partition("@")[0] for name in TARGETS}:
            ours, theirs = xarray.align(forecast[name], expected[name], join="inner")
            assert ours.sizes == forecast[name].sizes and ours.attrs["units"] == theirs.attrs["units"]
            theirs = theirs.transpose(*ours.dims)
            deviation = min(
                numbers["deviation"]
                for variable, numbers in model.statistics["variables"].items()
                if variable.partition("@")[0] == name
            )
            assert float(np.abs(ours - theirs).max()) < 5e-5 * deviation, name


def test_it_is_a_module_that_trains(folder):
    model = package.load(folder / "weights.safetensors")
    names = set(model.state_dict())
    assert {"tokenizer.patch.weight", "blocks.1.attention.qkv.weight", "head.out.weight"} <= names
    fields = torch.randn(2, len(VARIABLES), 8, 12)
    model(fields, time=0).square().mean().backward()
    untrained = [name for name, weight in model.named_parameters() if weight.grad is None]
    assert not untrained
    model.load_state_dict(package.load(folder / "weights.safetensors").state_dict())


def test_what_does_not_fit_is_said(folder, tmp_path):
    model = package.load(folder / "weights.safetensors")
    data = xarray.open_dataset(folder / "data.zarr")
    mistakes = {
        "has no time 2031-01-01T00": lambda: model.forecast(data, "2031-01-01"),
        "lead_hours=7 was not trained: choose of \\[24\\]": lambda: model.forecast(data, INIT, lead_hours=7),
        "the data have no 2m_temperature": lambda: model.forecast(data.drop_vars("2m_temperature"), INIT),
        "the data have 6 longitudes from 0 to 300, the model 12": lambda: model.forecast(
            data.isel(longitude=slice(None, None, 2)), INIT
        ),
        "not a whole safetensors file": lambda: package.load(folder / "forecast.nc"),
    }
    for words, mistake in mistakes.items():
        with pytest.raises(ValueError, match=words):
            mistake()
    with pytest.raises(FileNotFoundError):
        package.load(tmp_path / "nowhere.safetensors")
