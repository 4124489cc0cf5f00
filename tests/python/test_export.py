"""Builds the model in plain PyTorch from docs/model.md, and compares its forecasts with those of the program."""

import json

import numpy as np
import pytest

from command import VARIABLES, graticule, write_recipe

torch = pytest.importorskip("torch")
xarray = pytest.importorskip("xarray")
exported = pytest.importorskip("graticule.exported")


OLD = "qk_norm = true\nkv_heads = 2\nhead_layers = 1\npatch = 3\ncalendar = true"
AIMED = 'place = "aimed"\nqk_norm = "cosine"\nqk_variables = true\nadd_merged = true\nlead_std = 1.0\n'
ROTARY = 'place = "rotary"\nqk_norm = "cosine"\nkv_heads = 1\npatch = 3'
TIME = 982_152_000  # 2001-02-14T12


def field(dataset, name):
    name, _, level = name.partition("@")
    values = dataset[name].sel(level=int(level)) if level else dataset[name]
    return torch.from_numpy(np.squeeze(values.sortby("latitude").transpose(..., "latitude", "longitude").values))


@pytest.mark.parametrize(
    ("tokens", "more"),
    [
        ("full", OLD),
        ("aggregated", "patch = 2"),
        ("channels", OLD),
        ("full", AIMED + "kv_heads = 2\npatch = 1"),
        ("aggregated", AIMED + "patch = 3"),
        ("full", ROTARY),
    ],
)
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


# The loss of the third step and the norm of its gradient, with the weights after the second. All steps have the one
# sample of the training range.
@pytest.mark.parametrize("more", [OLD, AIMED, ROTARY])
def test_plain_pytorch_gives_the_same_loss_and_gradient(more, tmp_path):
    data = tmp_path / "data.nc"
    graticule("data", "synth", data, "--rows", 8, "--columns", 12, "--variables", 6, "--times", 200, check=True)
    replace = [
        ("synthetic:rows=8,columns=12,variables=6,times=200", str(data)),
        ('"2001-01-01", "2001-02-04"', '"2001-02-14T12", "2001-02-15T12"'),
        ("batch = 2", f"batch = 1\n{VARIABLES}"),
        ('test = ["2001-02-07", "2001-02-18"]', ""),
        ("dim = 32", f"dim = 32\n{more}"),
        ("[run]", "[run]\ncheckpoint_every = 1\nkeep = 3"),
    ]
    recipe = write_recipe(tmp_path, steps=3, replace=replace)
    graticule("train", recipe, ranks=2).check_returncode()
    graticule("export", tmp_path / "run" / "checkpoints" / "step-2", tmp_path / "w.safetensors", check=True)
    weights, model, statistics = exported.read(tmp_path / "w.safetensors")
    for weight in weights.values():
        weight.requires_grad_()
    with xarray.open_dataset(data) as opened:
        now, later = (
            torch.stack([field(opened.sel(time=time), name) for name in model["variables"]]).float()
            for time in ("2001-02-14T12", "2001-02-15T12")
        )
    change = exported.by_variable(model, lambda v: statistics["variables"][v]["difference_deviation"]["24"])
    counts = exported.by_variable(model, lambda v: float(v in model["targets"]))
    latitudes = np.array(model["latitudes"])
    edges = np.deg2rad([-90, *(latitudes[1:] + latitudes[:-1]) / 2, 90])
    area = torch.from_numpy(np.diff(np.sin(edges)))[:, None]
    weight = (counts * area / area.mean()).expand(now.shape)
    out = exported.run_model(weights, model, exported.normalise(now, model, statistics), 24, TIME)
    loss = (weight * (out - (later - now) / change) ** 2).sum() / weight.sum()
    loss.backward()
    norm = sum(float((w.grad**2).sum()) for w in weights.values() if w.grad is not None) ** 0.5
    steps = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    step = next(line for line in steps if line.get("step") == 3)
    assert step["loss"] == pytest.approx(loss.item(), rel=1e-5)
    assert step["grad_norm"] == pytest.approx(norm, rel=2e-4)
