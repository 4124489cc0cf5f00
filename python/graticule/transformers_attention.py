"""Attention over ranks as an attention implementation of Hugging Face's transformers, registered under the name
"graticule" in its two registries, of attention functions and of masks, as its documentation describes."""

from __future__ import annotations

from transformers import AttentionInterface, AttentionMaskInterface

NAME = "graticule"


def attend(module, query, key, value, attention_mask, scaling=None, dropout=0.0, **others):
    """query, key, value [batch, heads, tokens, width] -> [batch, tokens, heads, width], and no attention weights."""
    split = getattr(module, "graticule_split", None)
    if split is None:
        raise ValueError(
            f'[parallelize] {type(module).__name__} has attn_implementation="{NAME}", but no group of ranks: call '
            "graticule.parallelize(model, group)"
        )
    out = split.attend(query, key, value, attention_mask, dropout, scale=scaling)
    return out.transpose(1, 2), None


def no_mask(attention_mask=None, **others):
    """All tokens see all tokens. ValueError: a mask was given."""
    if attention_mask is not None:
        raise ValueError("[parallelize] an attention mask cannot be used over ranks: give none")


def use(model, split):
    """Makes the model attend over the group of `split`."""
    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, no_mask)
    for module in model.modules():
        module.graticule_split = split
    model.set_attn_implementation(NAME)
