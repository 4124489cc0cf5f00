"""What ranks exchange outside attention when a model is cut along its tokens: the cut, the gathering, and a comparison
of what the ranks were given. Tensors of tokens are [batch, tokens, width].

The derivative of each exchange is the true one, of the sum of the losses of all ranks. So the mean over the ranks of a
parameter's gradient is its gradient of the mean loss: what DistributedDataParallel, FSDP2 and
`graticule.average_gradients` compute.
"""

from __future__ import annotations

import itertools

import torch
import torch.distributed as dist

from graticule.groups import kept_by_program

SAMPLES = 64  # values of an input that the ranks compare
DIMS = 8  # dims of an input that they compare


def spans(tokens, ranks):
    """How many tokens each rank holds, in order: as equal as they can be, the first ranks one more."""
    return tuple(tokens // ranks + (rank < tokens % ranks) for rank in range(ranks))


class Cut(torch.autograd.Function):
    """All tokens -> those of this rank, the same bytes on every rank. In backward others have no gradient here."""

    @staticmethod
    def forward(ctx, x, first, count):
        ctx.tokens, ctx.first, ctx.count = x.shape[1], first, count
        return x.narrow(1, first, count).clone()  # a view would keep all tokens in memory

    @staticmethod
    def backward(ctx, grad):
        whole = grad.new_zeros(grad.shape[0], ctx.tokens, *grad.shape[2:])
        whole.narrow(1, ctx.first, ctx.count).copy_(grad)
        return whole, None, None


class Gather(torch.autograd.Function):
    """The tokens of this rank -> all tokens, on every rank. In backward: the sum of the ranks' gradients."""

    @staticmethod
    def forward(ctx, x, tokens_of, group):
        ctx.tokens_of, ctx.group = tokens_of, kept_by_program(group)
        return gather_rows(x.transpose(0, 1), tokens_of, group).transpose(0, 1)

    @staticmethod
    def backward(ctx, grad):
        wide = torch.promote_types(grad.dtype, torch.float32)
        total = grad.to(wide, copy=True, memory_format=torch.contiguous_format)
        group = ctx.group()
        dist.all_reduce(total, group=group)
        rank = dist.get_rank(group)
        return total.narrow(1, sum(ctx.tokens_of[:rank]), ctx.tokens_of[rank]).to(grad.dtype), None, None


def gather_rows(rows, counts, group):
    """The rows of this rank -> the rows of all ranks. Not every back end takes uneven rows: so messages are as long as
    the longest."""
    longest, own = max(counts), counts[dist.get_rank(group)]
    sent = rows.contiguous()
    if own < longest:
        sent = torch.cat([sent, sent.new_zeros(longest - own, *sent.shape[1:])])
    received = sent.new_empty(len(counts) * longest, *sent.shape[1:])
    of_rank = received.chunk(len(counts))
    dist.all_gather(list(of_rank), sent, group=group)
    if min(counts) == longest:
        return received
    return torch.cat([part[:count] for part, count in zip(of_rank, counts, strict=True)])


def device_of_exchanges(group, device):
    """Where small tensors lie that the ranks of a group exchange."""
    return device if device.type != "cpu" and "nccl" in dist.get_backend_config(group) else torch.device("cpu")


def compare(group, x, training, seed):
    """Compares the inputs of the ranks and returns the seed of the first rank. ValueError on every rank if they
    differ: in shape, in training or evaluation, or in some of the values."""
    flat = x.detach().reshape(-1)
    values = flat[:: max(1, flat.numel() // SAMPLES)][:SAMPLES].to("cpu", torch.float64)
    shape = [*x.shape[:DIMS], *[-1] * (DIMS - x.dim())]
    row = torch.cat([torch.tensor([*shape, training, seed], dtype=torch.float64), values])
    row = torch.nn.functional.pad(row, (0, DIMS + 2 + SAMPLES - row.numel()))
    device = device_of_exchanges(group, x.device)
    rows = torch.empty(dist.get_world_size(group), row.numel(), dtype=row.dtype, device=device)
    dist.all_gather(list(rows), row.to(device), group=group)
    rows = rows.cpu()
    for rank, other in enumerate(rows[1:], 1):
        refuse_difference(rank, rows[0], other)
    return int(rows[0, DIMS + 1])


def refuse_difference(rank, first, other):
    """`first` and `other`: rows of compare."""
    shapes = [tuple(int(size) for size in row[:DIMS] if size >= 0) for row in (first, other)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"[parallelize] rank {rank} of the group got an input {shapes[1]}, rank 0 {shapes[0]}: "
            "give all ranks of a group the same samples"
        )
    if first[DIMS] != other[DIMS]:
        raise ValueError(f"[parallelize] rank {rank} of the group and rank 0: one trains, the other evaluates")
    values = [row[DIMS + 2 :] for row in (first, other)]
    scale = values[0].nan_to_num(0, 0, 0).abs().max().item()
    if not torch.allclose(*values, rtol=1e-2, atol=1e-3 * scale, equal_nan=True):
        raise ValueError(
            f"[parallelize] rank {rank} of the group got another input than rank 0: give all ranks of a group the "
            "same samples (a DistributedSampler counts the groups, not the ranks)"
        )


def share_weights(model, group):
    """Gives all ranks the parameters and buffers of the group's first rank. ValueError on every rank: the models
    differ; or a tensor cannot be shared."""
    tensors = dict(itertools.chain(model.named_parameters(), model.named_buffers()))
    described = [f"{name} {tuple(tensor.shape)} {tensor.dtype}" for name, tensor in tensors.items()]
    kinds = {"sharded" for t in tensors.values() if hasattr(t, "full_tensor")}
    kinds |= {"without data" for t in tensors.values() if t.is_meta}
    everyone = [None] * dist.get_world_size(group)
    dist.all_gather_object(everyone, (described, sorted(kinds)), group=group)
    for rank, (theirs, kinds) in enumerate(everyone):
        if kinds:
            raise ValueError(
                f"[parallelize] weights of rank {rank} are {' and '.join(kinds)}: load the weights, call parallelize, "
                "and shard afterwards (fully_shard, DistributedDataParallel)"
            )
        if theirs != everyone[0][0]:
            differing = sorted(set(theirs) ^ set(everyone[0][0]))[:2]
            raise ValueError(
                f"[parallelize] rank {rank} of the group has another model than rank 0: {'; '.join(differing)}"
            )
    source = dist.get_global_rank(group, 0)
    with torch.no_grad():
        for tensor in tensors.values():
            whole = tensor.detach().contiguous()
            dist.broadcast(whole, source, group=group)
            tensor.copy_(whole)
