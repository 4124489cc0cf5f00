"""Graticule's attention for any PyTorch program.

>>> import torch, graticule
>>> q, k, v = (torch.randn(1, 4096, 8, 64, requires_grad=True) for _ in range(3))
>>> graticule.flash_attention(q, k, v).sum().backward()

PyTorch and the operator library are loaded at the first use of an operator. ``graticule.plot`` needs neither.
"""

from __future__ import annotations

import importlib

__all__ = ["flash_attention", "library_path"]


def __getattr__(name: str):
    if name not in __all__:
        raise AttributeError(f"module 'graticule' has no attribute {name!r}: it offers {', '.join(__all__)}")
    value = getattr(importlib.import_module("graticule.operators"), name)
    globals()[name] = value
    return value
