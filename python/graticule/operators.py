"""Registers the operators of libgraticule_ops.so with PyTorch (as torch.ops.graticule) and names them."""

from __future__ import annotations

import torch

from graticule.library import check_release, library_path

check_release(torch.__version__)
torch.ops.load_library(str(library_path()))


def flash_attention(q, k, v, scale: float | None = None, return_lse: bool = False):
    """Exact, non-causal softmax(scale q k^T) v, differentiable, without a tokens x tokens matrix in memory.

    q is [batch, tokens, heads, width]; k and v are [batch, keys, groups, width]; groups divides heads (grouped heads
    are not repeated). float32, bfloat16 or float16; width 1 to 256; any strides. scale defaults to 1/sqrt(width).
    Returns out, like q, or (out, lse) with the log-sum-exp of the scores, float32 [batch, heads, tokens].
    """
    out, lse = torch.ops.graticule.flash_attention(q, k, v, scale)
    return (out, lse) if return_lse else out
