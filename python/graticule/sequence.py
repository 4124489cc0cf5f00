"""Sequence-parallel attention over torch.distributed: the ranks of a process group share the tokens of a sample.

>>> torch.distributed.init_process_group("gloo")  # started by: torchrun --nproc-per-node 2 program.py
>>> out = graticule.attention(q, k, v)  # q, k, v: this rank's tokens [batch, tokens, heads, width]
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import distributed
from torch.distributed.device_mesh import DeviceMesh

from graticule import operators  # noqa: F401  registers torch.ops.graticule
from graticule.groups import process_group, require_ranks


@torch.compiler.disable
def attention(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    group: distributed.ProcessGroup | DeviceMesh | None = None,
    scheme: str | tuple[str, str] = "auto",
    tokens_of: Sequence[int] | None = None,
) -> torch.Tensor:
    """Exact, non-causal softmax(q k^T / sqrt(width)) v over the tokens of all ranks of `group`, differentiable.

    q is [batch, tokens, heads, width], k and v are [batch, tokens, key heads, width]; key heads divides heads. Each
    rank gives its own tokens, any number, also none. All else is equal on all ranks. float32, bfloat16 or float16;
    width 1 to 256; any strides. The result is like q: this rank's tokens, attended over those of all ranks. Under
    autocast q, k and v are cast, as for PyTorch's own attention.

    group: a process group of any back end; a device mesh of one axis, or of two: context ranks first, ulysses ranks
    second. None: all ranks of the program.
    scheme: "ulysses" (ranks exchange tokens for heads, at most as many ranks as heads), "lss" (keys and values are
    gathered), "ring" (they travel around), "mesh" (queries are gathered in the columns of a grid of ranks, keys and
    values in its rows), or a pair ("ulysses", one of the others): ulysses between neighbouring ranks, the other across.
    "auto": ulysses over the largest number of ranks that divides ranks and heads, mesh across the rest.
    tokens_of: the tokens of every rank, in rank order, if the program knows them; they are checked.

    Collective: all ranks call it, and its backward, in the same order. ValueError, with the same message on every rank:
    arguments are refused, or ranks disagree. RuntimeError: another rank is gone.
    """
    device = q.device.type
    if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
        q, k, v = (x.to(torch.get_autocast_dtype(device)) for x in (q, k, v))
    numbers = None if tokens_of is None else [int(count) for count in tokens_of]
    words = scheme if isinstance(scheme, str) else "+".join(map(str, scheme))
    return torch.ops.graticule.attention(q, k, v, _names(group), words, numbers)


def _names(group) -> list[str]:
    """The names of the process groups of `group`, as torch registers them."""
    require_ranks("attention")
    if not isinstance(group, DeviceMesh) or group.ndim == 1:
        return [process_group(group, "attention").group_name]
    if group.get_coordinate() is None:
        raise ValueError(f"[attention] this rank is not in the device mesh {group}: call attention on its ranks only")
    if group.ndim > 2:
        raise ValueError(f"[attention] {group} has {group.ndim} axes: give one, or context and ulysses")
    return [group.get_group(axis).group_name for axis in range(group.ndim)]
