"""Python runs this when it starts with this folder on its path.

PyTorch may be a build for CPUs, and the torchvision of the package index is built for CUDA: then it finds none of its
own operators, and stops at the two that it describes without asking for them. timm and transformers import torchvision
but call none of these, so it is enough to declare them.
"""

import contextlib

import torch

for name in ("nms", "qnms"):
    with contextlib.suppress(RuntimeError):  # declared already
        torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
