"""Builds the model in plain PyTorch from docs/model.md, and compares its forecasts with those of the program."""

import numpy as np
import pytest

from command import VARIABLES, graticule, write_recipe

torch = pytest.importorskip("torch")
xarray = pytest.importorskip("xarray")
exported = pytest.importorskip("graticule.exported")


MORE = "qk_norm = true\nkv_heads = 2\nhead_layers = 1\npatch = 3\ncalendar = true"
TIME = 982_152_000  # 2001-02-14T12


@pytest.mark.parametrize(("tokens", "more"), [("full", MORE), ("aggregated", "patch = 2"), ("channels", MORE)])
def test_plain_pytorch_gives_the_same_forecast(tokens, more, tmp_path):
    data = tmp_path / "data.nc"
    graticule("data", "synth", data, "--rows", 8, "--columns", 12, "--variables", 6, "--times", 200, check=True)
    replace = [
        ("synthetic:rows=8,columns=12,variables=6,times=200", str(data)),
        ("batch = 2", f"batch = 2\n{VARIABLES}"),
        ("dim = 32", f'dim = 32\ntokens = "{tokens}"\n{more}'),
    ]
    recipe = write_recipe(tmp_path, steps=3, replace=replace)
    assert graticule("train", recipe, ranks=2).returncode == 0
    graticule("export", tmp_path / "run", tmp_path / "w.safetensors", check=True)
    graticule("forecast", tmp_path / "run", "--init", "2001-02-14T12", "--out", tmp_path / "f.nc", check=True)
    weights, model, statistics = exported.read(tmp_path / "w.safetensors")

    def field(dataset, name):
        name, _, level = name.partition("@")
        values = dataset[name].sel(level=int(level)) if level else dataset[name]
        return torch.from_numpy(np.squeeze(values.sortby("latitude").transpose(..., "latitude", "longitude").values))

    with xarray.open_dataset(data) as opened, xarray.open_dataset(tmp_path / "f.nc") as forecast:
        now = opened.sel(time="2001-02-14T12")
        physical = torch.stack([field(now, name) for name in model["variables"]]).float()
        scale = [statistics["variables"][name] for name in model["variables"]]
        normalised = exported.normalise(physical, model, statistics)
        out = exported.run_model(weights, model, normalised, 24, TIME)
        attention = exported.attention_of_token(weights, model, normalised, 24, token=1, time=TIME)
        assert torch.allclose(attention.sum(-1), torch.ones(model["depth"], model["heads"]), atol=1e-5)
        for i, name in enumerate(model["variables"]):
            if name not in model["targets"]:
                continue
            step = out[i] * scale[i]["difference_deviation"]["24"]
            ours = field(forecast.isel(time=0, prediction_timedelta=0), name)
            error = ((physical[i] + step) - ours).abs().max() / scale[i]["deviation"]
            assert error < 2e-5, f"{name}: {error}"
