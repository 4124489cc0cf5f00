"""Runs an exported model (graticule export) in plain PyTorch. docs/model.md describes the model.

    weights, model, statistics = exported.read("model.safetensors")
    output = exported.run_model(weights, model, fields, lead_hours=24)  # one step, normalised
    forecasts = exported.roll_out(weights, model, statistics, fields, lead_hours=24, steps=5)  # physical

Legend: V variables, Y rows (south first), X columns, R x Q places, P pixels of a patch, S tokens, C width, H heads.
"""

import json
import math
import struct

import numpy as np
import torch
from torch.nn import functional as F


def read(path):
    """The weights by name, the model's sizes, and the statistics that normalise fields."""
    with open(path, "rb") as file:
        raw = file.read()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    metadata = header.pop("__metadata__")
    weights = {}
    for name, entry in header.items():
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        weights[name] = torch.from_numpy(np.frombuffer(raw[begin:end], "<f4").reshape(entry["shape"]).copy())
    return weights, json.loads(metadata["model"]), json.loads(metadata["statistics"])


def by_variable(model, value):
    """One number for each variable, looked up by name, as [V, 1, 1]."""
    return torch.tensor([value(name) for name in model["variables"]])[:, None, None]


def normalise(fields, model, statistics):
    """[V, Y, X] in physical units -> normalised."""
    of = statistics["variables"]
    mean, deviation = (by_variable(model, lambda v, key=key: of[v][key]).float() for key in ("mean", "deviation"))
    return (fields - mean) / deviation


def positions(model, rows, columns):
    """The position embedding of each place, [R Q, C]."""
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
    """[V, Y, X] -> [V, R Q, P], R and Q; zeros off the grid."""
    V, Y, X = fields.shape
    fields = F.pad(fields, (0, -X % p, 0, -Y % p))
    R, Q = fields.shape[1] // p, fields.shape[2] // p
    return fields.reshape(V, R, p, Q, p).permute(0, 1, 3, 2, 4).reshape(V, R * Q, p * p), R, Q


def merge_variables(w, model, each_VSC):
    """The tokens of a place's variables -> one token: cross-attention with a learned query."""
    H, D = model["heads"], model["dim"] // model["heads"]

    def part(name, value):
        return F.linear(value, w[f"tokenizer.aggregate.{name}.weight"], w[f"tokenizer.aggregate.{name}.bias"])

    q = part("q", w["tokenizer.aggregate.query"]).view(H, D)
    k, v = (part(name, each_VSC).unflatten(-1, (H, D)) for name in "kv")
    p = (torch.einsum("hd,vshd->vsh", q, k) / math.sqrt(D)).softmax(0)
    return part("out", (p[..., None] * v).sum(0).flatten(1))


def tokenize(w, model, x_VSP):
    """Patches -> [S, C], before place and lead."""
    if model["tokens"] == "channels":
        flat = x_VSP.permute(1, 0, 2).flatten(1)
        return F.linear(flat, w["tokenizer.patch.weight"], w["tokenizer.patch.bias"])
    each = torch.einsum("vsp,vcp->vsc", x_VSP, w["tokenizer.patch.weight"])
    each = each + (w["tokenizer.patch.bias"] + w["tokenizer.variable"])[:, None]
    return each.flatten(0, 1) if model["tokens"] == "full" else merge_variables(w, model, each)


def calendar(time):
    """Cosine and sine of the hour of the day and of the day of the year, [4]. `time`: seconds since 1970 UTC."""
    angles = [2 * math.pi * math.fmod(time, period) / period for period in (86_400, 365.2425 * 86_400)]
    return torch.tensor([f(angle) for angle in angles for f in (math.cos, math.sin)])


def is_target(model):
    return by_variable(model, lambda v: v in model["targets"])


def embed(w, model, fields, lead_hours, time=None):
    """Normalised fields -> the first block's input [S, C]. `fields` and `time`: as of run_model."""
    present, *past = fields if model.get("history", 1) > 1 else [fields]
    x_VSP, R, Q = patches(present, model["patch"])
    past = [patches(field * is_target(model), model["patch"])[0] for field in past]
    x = tokenize(w, model, torch.cat([x_VSP, *past], 2))
    x = x + positions(model, R, Q).repeat(x.shape[0] // (R * Q), 1)
    x = x + lead_hours / 100 * w["tokenizer.lead.weight"] + w["tokenizer.lead.bias"]
    return x + w["tokenizer.calendar.weight"] @ calendar(time) if model.get("calendar") else x


def waves(model, tokens):
    """Cosines and sines of the waves of place of each token, [S, 1, F] each: whole waves over the columns, then half
    waves over the rows."""
    p = model["patch"]
    R, Q = -(-model["rows"] // p), -(-model["columns"] // p)
    place = torch.arange(tokens) % (R * Q)
    of_column = (place % Q + 0.5).double()[:, None] * torch.tensor(model["place_waves"]["columns"]) * (2 * math.pi / Q)
    of_row = (place // Q + 0.5).double()[:, None] * torch.tensor(model["place_waves"]["rows"]) * (math.pi / R)
    angles = torch.cat([of_column, of_row], 1)[:, None].float()
    return angles.cos(), angles.sin()


def turn(x, cos, sin):
    """Turns the pairs (x[f], x[F + f]) by the angles of the F waves; later features stay."""
    F_ = cos.shape[-1]
    a, b, rest = x[..., :F_], x[..., F_ : 2 * F_], x[..., 2 * F_ :]
    return torch.cat([a * cos - b * sin, a * sin + b * cos, rest], -1)


def by_variable_of_token(model, of_HVK, tokens):
    """[H, V, K] -> [S, H, K]; V is 1 where tokens are not told apart."""
    variable = torch.arange(tokens) // (tokens // of_HVK.shape[1])
    return of_HVK.transpose(0, 1)[variable]


def norm(w, x, name):
    return F.layer_norm(x, x.shape[-1:], w[name + ".weight"], w[name + ".bias"])


def queries_keys_values(w, model, x_SC, name):
    """Each [S, H, D], keys and values repeated where heads share them."""
    S, H, G, place = x_SC.shape[0], model["heads"], model["kv_heads"], model.get("place", "added")
    D = model["dim"] // H
    K = D - 2 * sum(map(len, model["place_waves"].values())) if place == "aimed" else D
    q, k, v = F.linear(x_SC, w[name + ".qkv.weight"], w[name + ".qkv.bias"]).split([H * D, G * K, G * D], 1)
    q, k, v = q.view(S, H, D), k.view(S, G, K), v.view(S, G, D)
    q, aim = q[..., :K], q[..., K:]
    if model.get("qk_variables"):
        q = q + by_variable_of_token(model, w[name + ".q_variable"], S)
        k = k + by_variable_of_token(model, w[name + ".k_variable"], S)
    if model["qk_norm"] in ("layer", True):  # true or false in files of earlier versions
        q, k = norm(w, q, name + ".q_norm"), norm(w, k, name + ".k_norm")
    if model["qk_norm"] == "cosine":
        q, k = (x / (x.square().sum(-1, keepdim=True) + 1e-6).sqrt() for x in (q, k))
        q = q * (w[name + ".temperature"].exp() * math.sqrt(D))[:, None]
    if place == "rotary":
        q, k = (turn(x, *waves(model, S)) for x in (q, k))
    if place == "aimed":
        cos, sin = waves(model, S)
        aim = turn((aim + by_variable_of_token(model, w[name + ".aim"], S)) * math.sqrt(D), cos, sin)
        q, k = torch.cat([q, aim], -1), torch.cat([k, torch.cat([cos, sin], -1).expand(S, G, -1)], -1)
    return q, *(t.repeat_interleave(H // G, 1) for t in (k, v))


def weigh(q_tHD, k_SHD):
    """The attention weights of each query for each token, [H, t, S]; rows sum to 1."""
    return (torch.einsum("thd,shd->hts", q_tHD, k_SHD) / math.sqrt(q_tHD.shape[-1])).softmax(-1)


def block(w, model, x_SC, i):
    b = f"blocks.{i}"
    q, k, v = queries_keys_values(w, model, norm(w, x_SC, b + ".norm1"), b + ".attention")
    mixed = torch.einsum("hts,shd->thd", weigh(q, k), v).flatten(1)
    x_SC = x_SC + F.linear(mixed, w[b + ".attention.out.weight"], w[b + ".attention.out.bias"])
    h = norm(w, x_SC, b + ".norm2")
    h = F.gelu(F.linear(h, w[b + ".mlp.fc1.weight"], w[b + ".mlp.fc1.bias"]))
    return x_SC + F.linear(h, w[b + ".mlp.fc2.weight"], w[b + ".mlp.fc2.bias"])


def run_model(w, model, fields, lead_hours, time=None):
    """Normalised fields [V, Y, X] -> the model's output [V, Y, X].

    A model with `history` N > 1 reads fields [N, V, Y, X]: at the initial time, one lead before it, and so on. Of the
    earlier ones it reads the targets alone.
    `time`: the initial time in seconds since 1970 UTC; only a model with `calendar` reads it.
    """
    p, V = model["patch"], len(model["variables"])
    R, Q = -(-model["rows"] // p), -(-model["columns"] // p)
    x = embed(w, model, fields, lead_hours, time)
    for i in range(model["depth"]):
        x = block(w, model, x, i)
    x = norm(w, x, "head.norm")
    for i in range(model["head_layers"]):
        x = F.gelu(F.linear(x, w[f"head.hidden.{i}.weight"], w[f"head.hidden.{i}.bias"]))
    if model["tokens"] == "full":
        x = x.view(V, R * Q, -1)
        out = torch.einsum("vsc,vpc->vsp", x, w["head.out.weight"]) + w["head.out.bias"][:, None]
    else:
        out = F.linear(x, w["head.out.weight"], w["head.out.bias"]).view(R * Q, V, p * p).transpose(0, 1)
    out = out.reshape(V, R, Q, p, p).permute(0, 1, 3, 2, 4).reshape(V, R * p, Q * p)
    return out[:, : model["rows"], : model["columns"]]


@torch.no_grad()
def roll_out(w, model, statistics, fields, lead_hours, steps, later=None, time=None):
    """Rolls the model out: [V, Y, X] in physical units, NaN where missing -> forecasts [steps, V, Y, X] at 1, 2, ...
    steps leads. A forecast is NaN for variables that are no target, and for a target where it is missing in `fields`.
    With `history`, `fields` are [N, V, Y, X], as of run_model.

    `later(step)`, if given, returns the data [V, Y, X] at `step` leads; variables that are no target come from it.
    `time`: the time of `fields`, as of run_model.
    """
    of, forecasts = statistics["variables"], []
    mean, deviation = (by_variable(model, lambda v, key=key: of[v][key]).float() for key in ("mean", "deviation"))
    change = by_variable(model, lambda v: of[v]["difference_deviation"][str(lead_hours)] / of[v]["deviation"]).float()
    states = model.get("history", 1)
    x, *past = normalise(fields if states > 1 else fields[None], model, statistics)
    told = is_target(model) & ~x.isnan()
    x, past = x.nan_to_num(0), [field.nan_to_num(0) for field in past]  # a missing value is the mean, as in training
    for step in range(1, steps + 1):
        now = None if time is None else time + (step - 1) * lead_hours * 3600
        out = run_model(w, model, torch.stack([x, *past]) if past else x, lead_hours, now)
        past = [x, *past][: states - 1]
        x = torch.where(told, x + out * change if model["predict"] == "difference" else out, x)
        forecasts.append((x * deviation + mean).where(told, torch.nan))
        if later and step < steps:
            read = normalise(later(step), model, statistics).nan_to_num(0)
            x = torch.where(is_target(model), x, read)
    return torch.stack(forecasts)


def attention_of_token(w, model, fields, lead_hours, token, time=None):
    """The attention weights of one token in each block, [depth, H, S]. `time`: as of run_model."""
    x, seen = embed(w, model, fields, lead_hours, time), []
    for i in range(model["depth"]):
        name = f"blocks.{i}"
        q, k, _ = queries_keys_values(w, model, norm(w, x, name + ".norm1"), name + ".attention")
        seen.append(weigh(q[token : token + 1], k)[:, 0])
        x = block(w, model, x, i)
    return torch.stack(seen)
