"""The model rebuilt in plain PyTorch from docs/model.md, fed with exported weights, gives the program's forecasts."""

import json
import math
import struct

import numpy as np
import pytest

from command import VARIABLES, graticule, write_recipe

torch = pytest.importorskip("torch")
xarray = pytest.importorskip("xarray")
F = torch.nn.functional


def read_safetensors(path):
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    metadata = header.pop("__metadata__")
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        tensors[name] = torch.from_numpy(np.frombuffer(raw[begin:end], "<f4").reshape(entry["shape"]).copy())
    return tensors, json.loads(metadata["model"]), json.loads(metadata["statistics"])


def positions(model, rows, columns):
    c = model["dim"] // 4
    k = torch.arange(c, dtype=torch.float64)
    y = (torch.arange(rows, dtype=torch.float64) + 0.5) / rows
    t = (torch.arange(columns, dtype=torch.float64) + 0.5) / columns
    along_y = math.pi * y[:, None] * 2 ** (8 * k / c)
    along_x = 2 * math.pi * t[:, None] * (1 + torch.floor(k * columns / (2 * c)))
    y_part = torch.cat([along_y.sin(), along_y.cos()], 1)[:, None].expand(rows, columns, 2 * c)
    x_part = torch.cat([along_x.sin(), along_x.cos()], 1)[None].expand(rows, columns, 2 * c)
    return torch.cat([y_part, x_part], 2).reshape(rows * columns, 4 * c).float()


def patches(fields, p):
    """[V, Y, X] -> [V, places, P], zeros off the grid."""
    V, Y, X = fields.shape
    fields = F.pad(fields, (0, -X % p, 0, -Y % p))
    R, Q = fields.shape[1] // p, fields.shape[2] // p
    return fields.reshape(V, R, p, Q, p).permute(0, 1, 3, 2, 4).reshape(V, R * Q, p * p), R, Q


def attention(w, x, model, name):
    S, H, G = x.shape[0], model["heads"], model["kv_heads"]
    D = model["dim"] // H
    q, k, v = F.linear(x, w[name + ".qkv.weight"], w[name + ".qkv.bias"]).split([H * D, G * D, G * D], 1)
    q, k, v = q.view(S, H, D), k.view(S, G, D), v.view(S, G, D)
    if model["qk_norm"]:
        q = F.layer_norm(q, (D,), w[name + ".q_norm.weight"], w[name + ".q_norm.bias"])
        k = F.layer_norm(k, (D,), w[name + ".k_norm.weight"], w[name + ".k_norm.bias"])
    k, v = (t.repeat_interleave(H // G, 1) for t in (k, v))
    scores = torch.einsum("shd,thd->hst", q, k) / math.sqrt(D)
    out = torch.einsum("hst,thd->shd", scores.softmax(-1), v).reshape(S, H * D)
    return F.linear(out, w[name + ".out.weight"], w[name + ".out.bias"])


def tokenize(w, x, model):
    """[V, places, P] -> [S, C], before place and lead."""
    if model["tokens"] == "channels":
        flat = x.permute(1, 0, 2).flatten(1)
        return F.linear(flat, w["tokenizer.patch.weight"], w["tokenizer.patch.bias"])
    each = torch.einsum("vsp,vcp->vsc", x, w["tokenizer.patch.weight"])
    each = each + (w["tokenizer.patch.bias"] + w["tokenizer.variable"])[:, None]
    if model["tokens"] == "full":
        return each.flatten(0, 1)
    H, C = model["heads"], model["dim"]

    def part(name, value):
        return F.linear(value, w[f"tokenizer.aggregate.{name}.weight"], w[f"tokenizer.aggregate.{name}.bias"])

    q = part("q", w["tokenizer.aggregate.query"]).view(H, C // H)
    k, v = (part(name, each).unflatten(-1, (H, C // H)) for name in "kv")
    p = (torch.einsum("hd,vshd->vsh", q, k) / math.sqrt(C // H)).softmax(0)
    return part("out", (p[..., None] * v).sum(0).flatten(1))


def run_model(w, model, fields, lead_hours):
    """Normalised fields [V, Y, X] to the model's output [V, Y, X]."""
    p, V, C = model["patch"], len(model["variables"]), model["dim"]
    x, R, Q = patches(fields, p)
    x = tokenize(w, x, model)
    x = x + positions(model, R, Q).repeat(x.shape[0] // (R * Q), 1)
    x = x + lead_hours / 100 * w["tokenizer.lead.weight"] + w["tokenizer.lead.bias"]
    for i in range(model["depth"]):
        b = f"blocks.{i}"
        x = x + attention(
            w, F.layer_norm(x, (C,), w[b + ".norm1.weight"], w[b + ".norm1.bias"]), model, b + ".attention"
        )
        h = F.layer_norm(x, (C,), w[b + ".norm2.weight"], w[b + ".norm2.bias"])
        h = F.gelu(F.linear(h, w[b + ".mlp.fc1.weight"], w[b + ".mlp.fc1.bias"]))
        x = x + F.linear(h, w[b + ".mlp.fc2.weight"], w[b + ".mlp.fc2.bias"])
    x = F.layer_norm(x, (C,), w["head.norm.weight"], w["head.norm.bias"])
    for i in range(model["head_layers"]):
        x = F.gelu(F.linear(x, w[f"head.hidden.{i}.weight"], w[f"head.hidden.{i}.bias"]))
    if model["tokens"] == "full":
        x = x.view(V, R * Q, C)
        out = torch.einsum("vsc,vpc->vsp", x, w["head.out.weight"]) + w["head.out.bias"][:, None]
    else:
        out = F.linear(x, w["head.out.weight"], w["head.out.bias"]).view(R * Q, V, p * p).transpose(0, 1)
    out = out.reshape(V, R, Q, p, p).permute(0, 1, 3, 2, 4).reshape(V, R * p, Q * p)
    return out[:, : model["rows"], : model["columns"]]


MORE = "qk_norm = true\nkv_heads = 2\nhead_layers = 1\npatch = 3"


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
    graticule("forecast", tmp_path / "run", "--init", "2001-02-10", "--out", tmp_path / "f.nc", check=True)
    weights, model, statistics = read_safetensors(tmp_path / "w.safetensors")

    def field(dataset, name):
        name, _, level = name.partition("@")
        values = dataset[name].sel(level=int(level)) if level else dataset[name]
        return torch.from_numpy(np.squeeze(values.sortby("latitude").transpose(..., "latitude", "longitude").values))

    with xarray.open_dataset(data) as opened, xarray.open_dataset(tmp_path / "f.nc") as forecast:
        now = opened.sel(time="2001-02-10T00")
        physical = torch.stack([field(now, name) for name in model["variables"]]).float()
        scale = [statistics["variables"][name] for name in model["variables"]]
        mean, deviation = (
            torch.tensor([s[key] for s in scale])[:, None, None].float() for key in ("mean", "deviation")
        )
        out = run_model(weights, model, (physical - mean) / deviation, 24)
        for i, name in enumerate(model["variables"]):
            if name not in model["targets"]:
                continue
            step = out[i] * scale[i]["difference_deviation"]["24"]
            ours = field(forecast.isel(time=0, prediction_timedelta=0), name)
            error = ((physical[i] + step) - ours).abs().max() / scale[i]["deviation"]
            assert error < 2e-5, f"{name}: {error}"
