"""Where a model is cut along its tokens for `graticule.parallelize`: one entry for each known model class.

An entry names submodules by their path in the model; `*` stands for every item of a list. To parallelise a model of
your own, write an entry for it and hand it over: docs/parallelize.md shows one.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cuts:
    """Where the tokens of a model are cut and gathered.

    cut: the submodule whose output [batch, tokens, width], or the first of a tuple, is cut. What runs before it sees
        the whole sample.
    blocks: the submodules that attend. They see this rank's tokens, and attend to those of all ranks.
    gather: the submodule whose output [batch, tokens, width] is gathered. What runs after it sees all tokens.
    begin: the submodule that runs first. The ranks compare what it receives. Absent: the one of `cut`.
    attention: how the blocks call attention. "calls": they call torch.nn.functional.scaled_dot_product_attention.
        "transformers": they ask the attention registry of Hugging Face's transformers.
    rotary: keyword arguments of the blocks with one row [.., patches, ..] for each patch, rows in the last dim but one.
        They are cut as the patches are. Tokens before the first patch, such as the class token, have no row.
    prefix: an attribute in each block that counts the tokens before the first patch. It is set to those of this rank.
    refused: methods of the model that read tokens between the cut and the gathering. They raise an error.
    """

    cut: str
    blocks: str
    gather: str
    begin: str = ""
    attention: str = "calls"
    rotary: tuple[str, ...] = ()
    prefix: str = ""
    refused: tuple[str, ...] = ()


def _timm(**others):
    refused = ("forward_intermediates", "get_intermediate_layers")
    return Cuts(cut="norm_pre", blocks="blocks.*", gather="norm", begin="patch_embed", refused=refused, **others)


def _transformers(blocks, gather, cut="embeddings", rotary=()):
    return Cuts(cut, blocks, gather, begin="embeddings", attention="transformers", rotary=rotary)


_VIT = "transformers.models.{0}.modeling_{0}."

# The full name of a class -> its entry. Subclasses take the entry of their base.
TABLE = {
    "timm.models.vision_transformer.VisionTransformer": _timm(),
    "timm.models.eva.Eva": _timm(rotary=("rope",), prefix="attn.num_prefix_tokens"),
    _VIT.format("vit") + "ViTModel": _transformers("layers.*", "layernorm"),
    _VIT.format("deit") + "DeiTModel": _transformers("layers.*", "layernorm"),
    _VIT.format("vit_msn") + "ViTMSNModel": _transformers("layers.*", "layernorm"),
    _VIT.format("ijepa") + "IJepaModel": _transformers("layers.*", "layernorm"),
    _VIT.format("dinov2") + "Dinov2Model": _transformers("encoder.layer.*", "layernorm"),
    _VIT.format("dinov2_with_registers") + "Dinov2WithRegistersModel": _transformers("encoder.layer.*", "layernorm"),
    _VIT.format("dinov3_vit") + "DINOv3ViTModel": _transformers(
        "model.layer.*", "norm", rotary=("position_embeddings",)
    ),
    _VIT.format("vit_mae") + "ViTMAEModel": _transformers("layers.*", "layernorm"),
    _VIT.format("videomae") + "VideoMAEModel": _transformers("encoder.layer.*", "encoder"),
    _VIT.format("vivit") + "VivitModel": _transformers("layers.*", "layernorm"),
    _VIT.format("audio_spectrogram_transformer") + "ASTModel": _transformers("layers.*", "layernorm"),
    _VIT.format("siglip") + "SiglipVisionModel": _transformers("encoder.layers.*", "post_layernorm"),
    _VIT.format("clip") + "CLIPVisionModel": _transformers("encoder.layers.*", "encoder", cut="pre_layrnorm"),
}


def cuts_of(module):
    """The entry of a module's class or of a base of it; None if there is none."""
    names = (f"{base.__module__}.{base.__qualname__}" for base in type(module).__mro__)
    return next((TABLE[name] for name in names if name in TABLE), None)
