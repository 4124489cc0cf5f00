"""The ranks that a caller names: a process group of torch.distributed, a device mesh of one dim, or None for all."""

from __future__ import annotations

import weakref

import torch.distributed as dist
from torch.distributed.device_mesh import DeviceMesh


def require_ranks(where):
    """ValueError, "[where] ...": torch.distributed has no ranks yet."""
    if not (dist.is_available() and dist.is_initialized()):
        raise ValueError(
            f"[{where}] there are no ranks yet: start the program with torchrun and call "
            "torch.distributed.init_process_group first"
        )


def process_group(group, where):
    """A process group that this rank is in. ValueError, "[where] ...": it is none."""
    require_ranks(where)
    if isinstance(group, DeviceMesh):
        if group.ndim != 1:
            raise ValueError(f"[{where}] a device mesh of {group.ndim} dims: give one dim of it, as mesh['sequence']")
        group = group.get_group() if group.get_coordinate() is not None else dist.GroupMember.NON_GROUP_MEMBER
    group = dist.group.WORLD if group is None else group
    if not isinstance(group, dist.ProcessGroup) or dist.get_rank(group) < 0:
        raise ValueError(
            f"[{where}] rank {dist.get_rank()} is not in the group: give a process group or a device mesh, and call it "
            "on its ranks alone"
        )
    return group


def kept_by_program(group):
    """A function that gives `group`, and doesn't keep it. The threads of Gloo end when the last one who keeps a process
    group lets go. If that is a model or a graph of autograd, they outlive Python, which may abort the program at its
    end (PyTorch 2.13)."""
    kept = weakref.ref(group)

    def get():
        if (group := kept()) is None:
            raise RuntimeError(
                "[parallelize] the program has destroyed the process group of its model: call destroy_process_group "
                "after the last forward and backward"
            )
        return group

    return get
