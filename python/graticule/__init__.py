"""Graticule's attention for any PyTorch program, and its trained models in Python.

>>> import torch, graticule
>>> q, k, v = (torch.randn(1, 4096, 8, 64, requires_grad=True) for _ in range(3))
>>> graticule.flash_attention(q, k, v).sum().backward()

>>> out = graticule.attention(q, k, v, group)  # q, k, v: this rank's tokens; started by torchrun
>>> graticule.parallelize(model, group)  # a Vision Transformer of timm, of transformers or of your own

>>> model = graticule.load("weights.safetensors")  # written by graticule export
>>> forecast = model.forecast(data, "2001-12-01", steps=3)  # xarray data sets

PyTorch is loaded at the first use of one of these names. ``graticule.report`` and ``graticule.plot`` do not need it.
"""

from __future__ import annotations

import importlib

__version__ = "0.1.0"

# The module of each name. Only `operators` and `sequence` need the built operator library.
_HOMES = {
    "Cuts": "cuts",
    "attention": "sequence",
    "average_gradients": "gradients",
    "flash_attention": "operators",
    "library_path": "library",
    "load": "loaded",
    "parallelize": "sequence_parallel",
    "save_trunk": "trunk",
}
__all__ = list(_HOMES)


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module 'graticule' has no attribute {name!r}: it offers {', '.join(__all__)}")
    try:
        module = importlib.import_module(f"graticule.{_HOMES[name]}")
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        from graticule.library import built_with

        raise ImportError(
            f"[graticule] PyTorch is not installed: `pip install torch=={built_with()['pytorch']}`"
        ) from None
    value = getattr(module, name)
    globals()[name] = value
    return value
