"""The gradients of a model that was parallelised with `graticule.parallelize`, without a wrapper around the model."""

from __future__ import annotations

import torch
import torch.distributed as dist

from graticule.groups import process_group
from graticule.token_exchange import device_of_exchanges

BUCKET = 1 << 24  # elements reduced at a time


def average_gradients(model, group=None):
    """Replaces each parameter's gradient by its mean over the ranks of `group`: the gradient that one rank would have.

    Call it on every rank of the group, after backward and before clipping. With several groups that train on different
    samples, give the group of all ranks: the mean over samples is taken in the same step. A gradient that some ranks do
    not have counts as 0 there. Sums are taken in fp32. ValueError: the gradients are those of FSDP2.
    """
    group = process_group(group, "average_gradients")
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if any(hasattr(parameter, "full_tensor") for parameter in trained):
        raise ValueError("[average_gradients] FSDP2 has averaged the gradients of its parameters: leave this call out")
    device = device_of_exchanges(group, trained[0].device) if trained else None
    present = torch.tensor([parameter.grad is not None for parameter in trained], dtype=torch.int32, device=device)
    dist.all_reduce(present, group=group)
    bucket = []
    for parameter, ranks in zip(trained, present.tolist(), strict=True):
        if ranks == 0:
            continue
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        bucket.append(parameter.grad)
        if sum(grad.numel() for grad in bucket) >= BUCKET:
            _average(bucket, group)
            bucket = []
    if bucket:
        _average(bucket, group)


def _average(gradients, group):
    flat = torch.cat([grad.detach().float().flatten() for grad in gradients])
    dist.all_reduce(flat, group=group)
    flat /= dist.get_world_size(group)
    for grad, mean in zip(gradients, flat.split([grad.numel() for grad in gradients]), strict=True):
        grad.detach().copy_(mean.view_as(grad))
