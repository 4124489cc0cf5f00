"""The blocks of another Vision Transformer as the trunk of a recipe's model: a file for `graticule train --start-from`.

graticule.save_trunk(timm.create_model("vit_small_patch16_224", pretrained=True), "trunk.safetensors")

docs/model.md defines the blocks and the names of their weights.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import torch
from safetensors.torch import save_file
from torch import nn


@dataclass(frozen=True)
class Trunk:
    """What a model class calls the parts of its trunk. Paths in the model, and in each block."""

    blocks: str
    norm: str
    heads: str  # the attribute that counts heads
    parts: tuple[tuple[str, tuple[str, ...]], ...]  # our part, their parts: rows of several are stacked
    scales: tuple[tuple[str, str], ...] = ()  # our part, the factors of its rows
    activation: str = "mlp.act"


_NORMS = (("norm1", ("norm1",)), ("norm2", ("norm2",)))
_MLP = (("mlp.fc1", ("mlp.fc1",)), ("mlp.fc2", ("mlp.fc2",)))
_QKV = ("attention.q_proj", "attention.k_proj", "attention.v_proj")
_SEPARATE = (("attention.qkv", _QKV), ("attention.out", ("attention.o_proj",)))
_VIT = Trunk(
    blocks="layers",
    norm="layernorm",
    heads="attention.num_attention_heads",
    parts=(("norm1", ("layernorm_before",)), ("norm2", ("layernorm_after",)), *_SEPARATE, *_MLP),
    activation="mlp.activation_fn",
)
_DINO = Trunk(
    blocks="encoder.layer",
    norm="layernorm",
    heads="attention.num_attention_heads",
    parts=(*_NORMS, *_SEPARATE, *_MLP),
    scales=(("attention.out", "layer_scale1.lambda1"), ("mlp.fc2", "layer_scale2.lambda1")),
    activation="mlp.activation_fn",
)
_TIMM = Trunk(
    blocks="blocks",
    norm="norm",
    heads="attn.num_heads",
    parts=(
        *_NORMS,
        ("attention.qkv", ("attn.qkv",)),
        ("attention.q_norm", ("attn.q_norm",)),
        ("attention.k_norm", ("attn.k_norm",)),
        ("attention.out", ("attn.proj",)),
        *_MLP,
    ),
    scales=(("attention.out", "ls1.gamma"), ("mlp.fc2", "ls2.gamma")),
)
# The classes of a model and of its blocks.
TRUNKS = {
    ("VisionTransformer", "Block"): _TIMM,
    ("ViTModel", "ViTLayer"): _VIT,
    ("DeiTModel", "DeiTLayer"): _VIT,
    ("ViTMSNModel", "ViTMSNLayer"): _VIT,
    ("IJepaModel", "IJepaLayer"): _VIT,
    ("Dinov2Model", "Dinov2Layer"): _DINO,
    ("Dinov2WithRegistersModel", "Dinov2WithRegistersLayer"): _DINO,
}


def save_trunk(model, path):
    """Writes the blocks of a model of timm or of Hugging Face's transformers, and the norm after them, to a safetensors
    file. Returns the keys of [model] that a recipe needs to start from it.

    What comes before and after the blocks is not taken. Layer scale is multiplied into the weights; a missing bias is
    0. ValueError: the model's blocks compute something that Graticule's do not.
    """
    model, trunk = _find(model)
    blocks = list(model.get_submodule(trunk.blocks))
    weights = {}
    for i, block in enumerate(blocks):
        _refuse_other_blocks(block, trunk, f"{trunk.blocks}.{i}")
        weights |= {f"blocks.{i}.{name}": tensor for name, tensor in _block(block, trunk).items()}
    norm = model.get_submodule(trunk.norm)
    if isinstance(norm, nn.LayerNorm):  # absent where tokens are averaged before they are normalised
        weights |= {"head.norm.weight": norm.weight, "head.norm.bias": norm.bias}
    owner, _, attribute = trunk.heads.rpartition(".")
    dim, hidden = weights["blocks.0.mlp.fc1.weight"].shape[::-1]
    form = {
        "dim": dim,
        "depth": len(blocks),
        "heads": getattr(blocks[0].get_submodule(owner), attribute),
        "mlp_ratio": hidden / dim,
        "place": "added",
        "qk_norm": "layer" if "blocks.0.attention.q_norm.weight" in weights else "none",
        "qk_variables": False,
    }
    whole = {name: tensor.detach().float().cpu().contiguous().clone() for name, tensor in weights.items()}
    save_file(whole, path, {"format": "pt", "model": json.dumps(form)})
    return form


def _find(model):
    """The part of a model whose class is known, and what its parts are called."""
    for module in model.modules():
        names = {base.__name__ for base in type(module).__mro__}
        for (known, block), trunk in TRUNKS.items():
            if known in names:
                found = type(module.get_submodule(trunk.blocks)[0]).__name__
                if found != block:
                    raise ValueError(f"[trunk] {type(module).__name__} has blocks {found}: only {block} can be taken")
                return module, trunk
    classes = ", ".join(known for known, _ in TRUNKS)
    raise ValueError(f"[trunk] {type(model).__name__} has no part of a known class: {classes}")


def _block(block, trunk):
    """The weights of one block under our names."""
    theirs, ours = dict(block.named_parameters()), {}
    for part, sources in trunk.parts:
        if f"{sources[0]}.weight" not in theirs:
            continue  # norms of queries and keys that the model does not have
        for kind in ("weight", "bias"):
            rows = [theirs.get(f"{source}.{kind}", torch.zeros(len(theirs[f"{source}.weight"]))) for source in sources]
            ours[f"{part}.{kind}"] = torch.cat([row.detach() for row in rows])
    for part, scale in trunk.scales:
        if scale in theirs:
            factor = theirs[scale].detach()
            ours[f"{part}.weight"] = ours[f"{part}.weight"] * factor[:, None]
            ours[f"{part}.bias"] = ours[f"{part}.bias"] * factor
    return ours


def _refuse_other_blocks(block, trunk, name):
    """ValueError: the block has weights that Graticule's have no place for, or another activation."""
    known = {f"{source}.{kind}" for _, sources in trunk.parts for source in sources for kind in ("weight", "bias")}
    known |= {scale for _, scale in trunk.scales}
    other = [parameter for parameter, _ in block.named_parameters() if parameter not in known]
    if other:
        raise ValueError(f"[trunk] {name} has weights that Graticule's blocks do not have: {', '.join(other)}")
    norms = [source for part, (source, *_) in trunk.parts if "norm" in part]
    strange = [source for source in norms if not isinstance(block.get_submodule(source), nn.LayerNorm | nn.Identity)]
    if strange:
        raise ValueError(f"[trunk] {name} has norms that are no layer norms: {', '.join(strange)}")
    activation = block.get_submodule(trunk.activation)
    if not _is_gelu(activation):
        raise ValueError(f"[trunk] {name} has the activation {activation}: Graticule's blocks have the exact GELU")


def _is_gelu(activation):
    """Whether it is the exact GELU, with erf."""
    x = torch.linspace(-4, 4, 101)
    with torch.no_grad():
        return torch.allclose(activation(x), nn.functional.gelu(x), atol=1e-6, rtol=0)
