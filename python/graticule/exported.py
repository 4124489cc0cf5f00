"""Runs an exported model (graticule export) in plain PyTorch. docs/model.md describes the model. `graticule.load` wraps
these functions.

    weights, model, statistics = exported.read("model.safetensors")
    output = exported.run_model(weights, model, fields, lead_hours=24)  # one step, normalised
    forecasts = exported.roll_out(weights, model, statistics, fields, lead_hours=24, steps=5)  # physical

Legend: V variables, Y rows (south first), X columns, R x Q places, P pixels of a patch, S tokens, C width, H heads.
Fields of a volume are [V, Z, Y, X], its places L x R x Q, and fields on N cells are [V, N]; below, "*grid" stands for
Y, X or Z, Y, X or N.
"""

import json
import math

import torch
from safetensors import SafetensorError, safe_open
from torch.nn import functional as F


def read(path):
    """The weights by name, the model's sizes, and the statistics that normalise fields. ValueError: another file."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dictionary)
    except SafetensorError as error:
        raise ValueError(f"[load] {path} is not a whole safetensors file: {error}") from None
    if not {"model", "statistics"} <= set(metadata):
        raise ValueError(f"[load] {path} does not describe its model: make it with graticule export RUN {path}")
    return weights, json.loads(metadata["model"]), json.loads(metadata["statistics"])


def by_variable(model, value):
    """One number for each variable, looked up by name, as [V, 1, 1], for a volume [V, 1, 1, 1], on cells [V, 1]."""
    numbers = torch.tensor([value(name) for name in model["variables"]])
    return numbers.view(-1, *[1] * len(grid_of(model)))


def on_cells(model):
    return model.get("grid") == "cells"


def grid_of(model):
    """The axes of the grid, the slowest first: name, pixels, pixels of a patch along it."""
    if on_cells(model):
        return [("cells", model["rows"], model["patch"])]
    names = ["layers", "rows", "columns"] if model.get("grid") == "volume" else ["rows", "columns"]
    sides = model["patch"] if isinstance(model["patch"], list) else [model["patch"]] * len(names)
    return [(name, model[name], side) for name, side in zip(names, sides, strict=True)]


def places_of(model):
    """The number of patches along each axis of the grid."""
    return [-(-pixels // side) for _, pixels, side in grid_of(model)]


def is_periodic(model, axis):
    """Whether the last pixel along an axis is a neighbour of the first."""
    return axis in model["periodic"] if "grid" in model else axis == "columns"


def wave_axes(model):
    """The axes along which places have waves, the slowest first."""
    return ["rows", "columns"] if on_cells(model) else [name for name, *_ in grid_of(model)]


def patches_along(model, axis):
    """The number of patches along an axis; of cells, how many lie side by side."""
    if on_cells(model):
        return model["patches_side_by_side"][axis]
    return places_of(model)[wave_axes(model).index(axis)]


def cell_angles(model, axis):
    """Where the middles of the runs of cells lie, [places]: east (columns), north of the south pole (rows)."""
    north, east = (torch.tensor(model[name], dtype=torch.float64).deg2rad() for name in ("latitudes", "longitudes"))
    each = torch.stack([north.cos() * east.cos(), north.cos() * east.sin(), north.sin()])
    x, y, z = F.pad(each, [0, -len(north) % model["patch"]]).unflatten(1, (-1, model["patch"])).sum(2)
    return torch.atan2(z, torch.hypot(x, y)) + math.pi / 2 if axis == "rows" else torch.atan2(y, x) % (2 * math.pi)


def trained_along(model, axis):
    """The number of patches along an axis of the grid that the model was trained on, and how the patches of this grid
    lie among them: patch i at number (i + 1/2 + shift) scale, counted from the edge."""
    at = model.get("trained", {}).get(axis, {})
    return at.get("patches", patches_along(model, axis)), at.get("scale", 1), at.get("shift", 0)


def angles_along(model, axis, waves):
    """The angles of waves at the patches along an axis, [n, waves]: whole waves if it is periodic, else half ones. On
    cells at each place, [places, waves]."""
    if on_cells(model):
        return cell_angles(model, axis)[:, None] * waves
    n, scale, shift = trained_along(model, axis)
    turn = 2 * math.pi if is_periodic(model, axis) else math.pi
    numbers = (torch.arange(patches_along(model, axis), dtype=torch.float64) + 0.5 + shift) * scale
    return (turn * numbers / n)[:, None] * waves


def on_grid(model, parts):
    """One part [n, F] for each of wave_axes, in its order -> [places, all F]."""
    if on_cells(model):
        return torch.cat(parts, -1)
    places = places_of(model)
    spread = []
    for at, part in enumerate(parts):
        shape = [1] * len(places) + [part.shape[1]]
        shape[at] = places[at]
        spread.append(part.view(shape).expand(*places, part.shape[1]))
    return torch.cat(spread, -1).flatten(0, -2)


def normalise(fields, model, statistics):
    """[V, *grid] in physical units -> normalised."""
    of = statistics["variables"]
    mean, deviation = (by_variable(model, lambda v, key=key: of[v][key]).float() for key in ("mean", "deviation"))
    return (fields - mean) / deviation


def positions(model):
    """The position embedding of each place, [places, C]."""
    axes, parts = wave_axes(model), []
    for at, axis in enumerate(axes):
        pairs, more = divmod(model["dim"] // 2, len(axes))
        c, (n, *_) = pairs + (at < more), trained_along(model, axis)
        k = torch.arange(c, dtype=torch.float64)
        waves = 1 + torch.floor(k * n / (2 * c)) if is_periodic(model, axis) else 2 ** (8 * k / c)
        angles = angles_along(model, axis, waves)
        parts.append(torch.cat([angles.sin(), angles.cos()], 1))
    return on_grid(model, parts).float()


def patches(model, fields):
    """[V, *grid] -> [V, places, P]; zeros off the grid."""
    axes, places = grid_of(model), places_of(model)
    margins = [extent for _, pixels, side in reversed(axes) for extent in (0, -pixels % side)]
    fields = F.pad(fields, margins)
    fields = fields.reshape(-1, *[size for n, (*_, side) in zip(places, axes, strict=True) for size in (n, side)])
    order = [0, *range(1, fields.dim(), 2), *range(2, fields.dim(), 2)]
    return fields.permute(order).flatten(len(axes) + 1).flatten(1, -2)


def from_patches(model, patches_VSP):
    """[V, places, P] -> [V, *grid]: the inverse of patches."""
    axes, places = grid_of(model), places_of(model)
    count = len(axes)
    boxes = patches_VSP.reshape(-1, *places, *[side for *_, side in axes])
    order = [0, *[dim for at in range(count) for dim in (1 + at, 1 + count + at)]]
    whole = boxes.permute(order).reshape(-1, *[n * side for n, (*_, side) in zip(places, axes, strict=True)])
    return whole[(slice(None), *[slice(pixels) for _, pixels, _ in axes])]


def merge_variables(w, model, each_VSC):
    """The tokens of a place's variables -> one token: cross-attention with a learned query."""
    H, D = model["heads"], model["dim"] // model["heads"]

    def part(name, value):
        return F.linear(value, w[f"tokenizer.aggregate.{name}.weight"], w[f"tokenizer.aggregate.{name}.bias"])

    q = part("q", w["tokenizer.aggregate.query"]).view(H, D)
    k, v = (part(name, each_VSC).unflatten(-1, (H, D)) for name in "kv")
    p = (torch.einsum("hd,vshd->vsh", q, k) / math.sqrt(D)).softmax(0)
    return part("out", (p[..., None] * v).sum(0).flatten(1))


def tokenize(w, model, x_VSP, visible=None):
    """Patches -> [S, C], before place and lead. `visible`: the tokens that a masked model reads; None: all."""
    if model["tokens"] == "channels":
        flat = x_VSP.permute(1, 0, 2).flatten(1)
        return F.linear(flat, w["tokenizer.patch.weight"], w["tokenizer.patch.bias"])
    each = torch.einsum("vsp,vcp->vsc", x_VSP, w["tokenizer.patch.weight"])
    each = each + (w["tokenizer.patch.bias"] + w["tokenizer.variable"])[:, None]
    if model.get("add_merged"):
        read = torch.zeros(each.shape[:2])
        read.view(-1)[slice(None) if visible is None else visible] = 1
        each = each + torch.einsum("vs,vsp,vcp->sc", read, x_VSP, w["tokenizer.merged.weight"])
    return each.flatten(0, 1) if model["tokens"] == "full" else merge_variables(w, model, each)


def calendar(time):
    """Cosine and sine of the hour of the day and of the day of the year, [4]. `time`: seconds since 1970 UTC."""
    angles = [2 * math.pi * math.fmod(time, period) / period for period in (86_400, 365.2425 * 86_400)]
    return torch.tensor([f(angle) for angle in angles for f in (math.cos, math.sin)])


def is_target(model):
    return by_variable(model, lambda v: v in model["targets"])


def embed(w, model, fields, lead_hours, time=None, visible=None):
    """Normalised fields -> the first block's input [S, C]. `fields` and `time`: as of run_model; `visible`: as of
    tokenize."""
    present, *past = fields if model.get("history", 1) > 1 else [fields]
    past = [patches(model, field * is_target(model)) for field in past]
    x = tokenize(w, model, torch.cat([patches(model, present), *past], 2), visible)
    place = positions(model)
    x = x + place.repeat(len(x) // len(place), 1)
    x = x + lead_hours / 100 * w["tokenizer.lead.weight"] + w["tokenizer.lead.bias"]
    return x + w["tokenizer.calendar.weight"] @ calendar(time) if model.get("calendar") else x


def all_tokens(model):
    """The numbers of all tokens of the sequence."""
    variables = len(model["variables"]) if model["tokens"] == "full" else 1
    return torch.arange(variables * math.prod(places_of(model)))


def waves(model, tokens):
    """Cosines and sines of the waves of place of some tokens, [S, 1, F] each: those over the columns, the rows, and the
    layers of a volume."""
    axes = wave_axes(model)
    angles = [angles_along(model, axis, torch.tensor(model["place_waves"][axis])) for axis in axes]
    widths = [part.shape[1] for part in angles]
    by_axis = on_grid(model, angles).split(widths, 1)
    place = torch.cat(list(reversed(by_axis)), 1)
    angles = place[tokens % len(place)][:, None].float()
    return angles.cos(), angles.sin()


def turn(x, cos, sin):
    """Turns the pairs (x[f], x[F + f]) by the angles of the F waves; later features stay."""
    F_ = cos.shape[-1]
    a, b, rest = x[..., :F_], x[..., F_ : 2 * F_], x[..., 2 * F_ :]
    return torch.cat([a * cos - b * sin, a * sin + b * cos, rest], -1)


def by_variable_of_token(model, of_HVK, tokens):
    """[H, V, K] -> [S, H, K]; V is 1 where tokens are not told apart."""
    variable = tokens // math.prod(places_of(model)) if of_HVK.shape[1] > 1 else torch.zeros_like(tokens)
    return of_HVK.transpose(0, 1)[variable]


def norm(w, x, name):
    return F.layer_norm(x, x.shape[-1:], w[name + ".weight"], w[name + ".bias"])


def queries_keys_values(w, model, x_SC, name, tokens=None):
    """Each [S, H, D], keys and values repeated where heads share them. `tokens`: their numbers; None: all."""
    S, H, G, place = x_SC.shape[0], model["heads"], model["kv_heads"], model.get("place", "added")
    tokens = torch.arange(S) if tokens is None else tokens
    D = model["dim"] // H
    K = D - 2 * sum(map(len, model["place_waves"].values())) if place == "aimed" else D
    q, k, v = F.linear(x_SC, w[name + ".qkv.weight"], w[name + ".qkv.bias"]).split([H * D, G * K, G * D], 1)
    q, k, v = q.view(S, H, D), k.view(S, G, K), v.view(S, G, D)
    q, aim = q[..., :K], q[..., K:]
    if model.get("qk_variables"):
        q = q + by_variable_of_token(model, w[name + ".q_variable"], tokens)
        k = k + by_variable_of_token(model, w[name + ".k_variable"], tokens)
    if model["qk_norm"] in ("layer", True):  # true or false in files of earlier versions
        q, k = norm(w, q, name + ".q_norm"), norm(w, k, name + ".k_norm")
    if model["qk_norm"] == "cosine":
        q, k = (x / (x.square().sum(-1, keepdim=True) + 1e-6).sqrt() for x in (q, k))
        q = q * (w[name + ".temperature"].exp() * math.sqrt(D))[:, None]
    if place == "rotary":
        q, k = (turn(x, *waves(model, tokens)) for x in (q, k))
    if place == "aimed":
        cos, sin = waves(model, tokens)
        aim = turn((aim + by_variable_of_token(model, w[name + ".aim"], tokens)) * math.sqrt(D), cos, sin)
        q, k = torch.cat([q, aim], -1), torch.cat([k, torch.cat([cos, sin], -1).expand(S, G, -1)], -1)
    return q, *(t.repeat_interleave(H // G, 1) for t in (k, v))


def weigh(q_tHD, k_SHD):
    """The attention weights of each query for each token, [H, t, S]; rows sum to 1."""
    return (torch.einsum("thd,shd->hts", q_tHD, k_SHD) / math.sqrt(q_tHD.shape[-1])).softmax(-1)


def block(w, model, x_SC, i, tokens=None, prefix="blocks"):
    b = f"{prefix}.{i}"
    q, k, v = queries_keys_values(w, model, norm(w, x_SC, b + ".norm1"), b + ".attention", tokens)
    mixed = torch.einsum("hts,shd->thd", weigh(q, k), v).flatten(1)
    x_SC = x_SC + F.linear(mixed, w[b + ".attention.out.weight"], w[b + ".attention.out.bias"])
    h = norm(w, x_SC, b + ".norm2")
    h = F.gelu(F.linear(h, w[b + ".mlp.fc1.weight"], w[b + ".mlp.fc1.bias"]))
    return x_SC + F.linear(h, w[b + ".mlp.fc2.weight"], w[b + ".mlp.fc2.bias"])


def blocks(w, model, x_SC, tokens=None, prefix="blocks"):
    for i in range(model["depth"]):
        x_SC = block(w, model, x_SC, i, tokens, prefix)
    return x_SC


def head(w, model, x_SC):
    """What each token says: [S, outputs x values]."""
    x = norm(w, x_SC, "head.norm")
    for i in range(model["head_layers"]):
        x = F.gelu(F.linear(x, w[f"head.hidden.{i}.weight"], w[f"head.hidden.{i}.bias"]))
    if model["tokens"] != "full":
        return F.linear(x, w["head.out.weight"], w["head.out.bias"])
    x = x.unflatten(0, (len(model["variables"]), -1))
    return (torch.einsum("vsc,vpc->vsp", x, w["head.out.weight"]) + w["head.out.bias"][:, None]).flatten(0, 1)


def by_output(model, out_SE):
    """The head's numbers of each place by output, [outputs, places, values]; with tokens of one variable each, an
    output is a variable."""
    if model["tokens"] == "full" and model.get("outputs", 1) == 1:
        return out_SE.unflatten(0, (len(model["variables"]), -1))
    outputs = model.get("outputs", len(model["variables"]))
    return out_SE.unflatten(1, (outputs, -1)).transpose(0, 1)


def run_model(w, model, fields, lead_hours, time=None):
    """Normalised fields [V, *grid] -> the model's output [V, *grid].

    A model with `history` N > 1 reads fields [N, V, *grid]: at the initial time, one lead before it, and so on. Of the
    earlier ones it reads the targets alone.
    `time`: the initial time in seconds since 1970 UTC; only a model with `calendar` reads it.
    """
    x = blocks(w, model, embed(w, model, fields, lead_hours, time))
    return from_patches(model, by_output(model, head(w, model, x)))


def run_masked(w, model, fields, visible):
    """A model of the task reconstruct: normalised fields [V, *grid] -> its output [V, *grid]. It reads the tokens
    `visible` alone: their numbers, ascending."""
    visible = torch.as_tensor(visible)
    x = blocks(w, model, embed(w, model, fields, 0, visible=visible)[visible], visible)
    narrow = {**model, **model["decoder"]}
    x = F.linear(norm(w, x, "decoder.norm"), w["decoder.project.weight"], w["decoder.project.bias"])
    tokens = all_tokens(model)
    y = w["decoder.hidden"].repeat(len(tokens), 1).index_copy(0, visible, x)
    place = positions(narrow)
    if model["tokens"] == "full":
        y = y + w["decoder.variable"][tokens // len(place)]
    y = y + place[tokens % len(place)]
    y = blocks(w, narrow, y, prefix="decoder.blocks")
    return from_patches(model, by_output(model, head(w, narrow, y)))


def segment(w, model, fields):
    """A model of the task segment: normalised fields [V, *grid] -> the logits of the classes, [classes, *grid]."""
    return run_model(w, model, fields, 0)


def finer(model):
    """The sizes of a model of the task downscale, with the grid of its output."""
    sides = model["patch"] if isinstance(model["patch"], list) else [model["patch"]] * len(grid_of(model))
    fine = {axis: pixels * model["factor"] for axis, pixels, _ in grid_of(model)}
    return {**model, **fine, "patch": [side * model["factor"] for side in sides]}


def downscale(w, model, fields):
    """A model of the task downscale: normalised coarse fields [V, *grid] -> fine ones, each side `factor` times."""
    x = blocks(w, model, embed(w, model, fields, 0))
    change = from_patches(finer(model), by_output(model, head(w, model, x)))
    for dim in range(1, fields.dim()):
        fields = fields.repeat_interleave(model["factor"], dim)
    return fields + change


def pool(w, model, fields):
    """A model of the task classify or regress: normalised fields [V, *grid] -> the logits of the classes, or the
    normalised value: statistics["variables"]["task.labels"] has its mean and deviation."""
    x = blocks(w, model, embed(w, model, fields, 0))
    return head(w, model, x).mean(0)


@torch.no_grad()
def roll_out(w, model, statistics, fields, lead_hours, steps, later=None, time=None):
    """Rolls the model out: [V, *grid] in physical units, NaN where missing -> forecasts [steps, V, *grid] at 1, 2, ...
    steps leads. A forecast is NaN for variables that are no target, and for a target where it is missing in `fields`.
    With `history`, `fields` are [N, V, *grid], as of run_model.

    `later(step)`, if given, returns the data [V, *grid] at `step` leads; variables that are no target come from it.
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
