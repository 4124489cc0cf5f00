"""The program of test_attention.py, which every rank runs: torchrun ranks_attention.py CASE [CASE...]."""

import copy
import functools
import itertools
import sys

import numpy as np
import torch
from torch import distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint

import graticule
from seed import SEED, seeded

FP32 = {"rtol": 1e-4, "atol": 2e-5}
BF16 = {"rtol": 3e-2, "atol": 3e-2}
METHODS = ["lss", "ring", "mesh"]
SCHEMES = ["auto", "ulysses", *METHODS, *(("ulysses", method) for method in METHODS)]


def rank():
    return distributed.get_rank()


def draw(tokens_of, heads, key_heads, width, batch=1, dtype=torch.float32, seed=0):
    """q, k, v and the gradient of out, of all tokens: the same on every rank."""
    generator = torch.Generator().manual_seed(SEED + seed)
    counts = (heads, key_heads, key_heads, heads)
    shapes = [(batch, sum(tokens_of), count, width) for count in counts]
    return [torch.randn(shape, generator=generator).to(dtype) for shape in shapes]


def mine(x, tokens_of, place=None):
    """This rank's tokens of a tensor [batch, tokens, ...]."""
    return x.split(tokens_of, 1)[rank() if place is None else place]


def differentiated(attend, q, k, v, dout):
    """out, dq, dk, dv."""
    leaves = [x.detach().clone().requires_grad_() for x in (q, k, v)]
    out = attend(*leaves)
    out.backward(dout)
    return [out.detach(), *(x.grad for x in leaves)]


def expect_equal_to_one_process(attend, tokens_of, place=None, tolerance=FP32, **sizes):
    whole = draw(tokens_of, **sizes)
    expected = differentiated(graticule.flash_attention, *whole)
    got = differentiated(attend, *(mine(x, tokens_of, place) for x in whole))
    for ours, theirs in zip(got, expected, strict=True):
        torch.testing.assert_close(ours, mine(theirs, tokens_of, place), **tolerance)


def schemes():
    """Every scheme equals one process, with uneven tokens, some ranks without any, uneven and grouped heads."""
    ranks, random = distributed.get_world_size(), seeded(0)
    for number, scheme in enumerate(SCHEMES * 3):
        tokens_of = random.integers(0, 40, ranks).tolist()
        tokens_of[random.integers(ranks)] += 5
        key_heads = int(random.integers(1, 4))
        heads = key_heads * int(random.integers(1, 4))
        if scheme == "ulysses" and heads < ranks:
            heads = key_heads * ranks
        expect_equal_to_one_process(
            functools.partial(graticule.attention, scheme=scheme),
            tokens_of,
            heads=heads,
            key_heads=key_heads,
            width=int(random.integers(1, 40)),
            batch=int(random.integers(1, 3)),
            seed=number,
        )


def dtypes():
    """bf16 and fp16; and fp32 inputs under autocast, which gives bf16."""
    tokens_of = [7 + 4 * r for r in range(distributed.get_world_size())]
    sizes = {"heads": 4, "key_heads": 2, "width": 16}
    for scheme, dtype in itertools.product(["ulysses", "ring"], [torch.bfloat16, torch.float16]):
        attend = functools.partial(graticule.attention, scheme=scheme)
        expect_equal_to_one_process(attend, tokens_of, tolerance=BF16, dtype=dtype, **sizes)
    q, k, v, dout = (mine(x, tokens_of).requires_grad_() for x in draw(tokens_of, **sizes))
    with torch.autocast("cpu", torch.bfloat16):
        out = graticule.attention(q, k.bfloat16(), v)
    assert out.dtype == torch.bfloat16
    out.backward(dout.bfloat16())
    assert q.grad.dtype == torch.float32


def groups():
    """Some ranks of the program, a device mesh of one axis, of two, and tokens_of where it is known."""
    ranks = distributed.get_world_size()
    sizes = {"heads": 6, "key_heads": 3, "width": 8}
    members = sorted({0, ranks - 1})
    some = distributed.new_group(members)
    if rank() in members:
        attend = functools.partial(graticule.attention, group=some)
        expect_equal_to_one_process(attend, [9, 4][: len(members)], members.index(rank()), **sizes)
    tokens_of = [5 + r for r in range(ranks)]
    line = init_device_mesh("cpu", (ranks,))
    attend = functools.partial(graticule.attention, group=line, tokens_of=np.array(tokens_of))
    expect_equal_to_one_process(attend, tokens_of, **sizes)
    if ranks == 4:
        square = init_device_mesh("cpu", (2, 2), mesh_dim_names=("context", "ulysses"))
        for scheme in ["auto", *(("ulysses", method) for method in METHODS)]:
            attend = functools.partial(graticule.attention, group=square, scheme=scheme)
            expect_equal_to_one_process(attend, tokens_of, **sizes)


class Block(nn.Module):
    """Attention twice in one graph, on tokens [batch, tokens, 24]."""

    def __init__(self, attend, recompute=None):
        super().__init__()
        self.attend, self.recompute = attend, recompute
        self.into_heads, self.out_of_heads = nn.Linear(24, 72), nn.Linear(24, 24)

    def once(self, x):
        q, k, v = self.into_heads(x).unflatten(-1, (3, 4, 6)).unbind(2)
        return x + self.out_of_heads(self.attend(q, k, v).flatten(2))

    def forward(self, x):
        for _ in range(2):
            x = self.once(x) if self.recompute is None else checkpoint(self.once, x, use_reentrant=self.recompute)
        return x


def trained(model, x, target):
    """The gradients of the summed squared error by parameter name."""
    model(x).sub(target).square().sum().backward()
    return {name: value.grad for name, value in model.named_parameters()}


def models():
    """A model under checkpointing, DDP and FSDP2 has the gradients of one process. The two average over ranks."""
    ranks = distributed.get_world_size()
    tokens_of = [6 + 5 * r for r in range(ranks)]
    torch.manual_seed(SEED)
    alone = Block(graticule.flash_attention)
    x, target = torch.randn(2, 2, sum(tokens_of), 24)
    expected = trained(copy.deepcopy(alone), x, target)
    here = (mine(x, tokens_of).requires_grad_(), mine(target, tokens_of))
    for scheme, recompute in itertools.product(["ulysses", "mesh"], [None, False, True]):
        model = Block(functools.partial(graticule.attention, scheme=scheme), recompute)
        model.load_state_dict(alone.state_dict())
        summed = trained(copy.deepcopy(model), *here)
        for gradient in summed.values():
            distributed.all_reduce(gradient)
        for name, gradient in expected.items():
            torch.testing.assert_close(summed[name], gradient, **FP32)
        if recompute is True:
            continue  # DDP and FSDP2 refuse reentrant checkpoints of weights that are used twice
        averaged = trained(DistributedDataParallel(copy.deepcopy(model)), *here)
        sharded = trained(fully_shard(copy.deepcopy(model)), *here)
        for name, gradient in expected.items():
            torch.testing.assert_close(averaged["module." + name] * ranks, gradient, **FP32)
            torch.testing.assert_close(sharded[name].full_tensor() * ranks, gradient, **FP32)


def without_gradients():
    tokens_of = [3] * distributed.get_world_size()
    q, k, v, _ = (mine(x, tokens_of) for x in draw(tokens_of, heads=4, key_heads=4, width=8))
    plain = graticule.attention(q, k, v)
    q.requires_grad_()
    with torch.no_grad():
        assert not graticule.attention(q, k, v).requires_grad
    with torch.inference_mode():
        torch.testing.assert_close(graticule.attention(q, k, v), plain)


def second_derivatives():
    q, k, v = (torch.randn(1, 3, 2, 8, requires_grad=True) for _ in range(3))
    out = graticule.attention(q, k, v)
    try:
        torch.autograd.grad(out.sum(), q, create_graph=True)
    except (RuntimeError, ValueError) as error:
        assert "first derivatives only" in str(error)
    else:
        raise AssertionError("a wrong second derivative was begun")


def refused(message, *tensors, **arguments):
    """Every rank gets one ValueError with the same text, and the group still works afterwards."""
    try:
        graticule.attention(*tensors, **arguments)
    except ValueError as error:
        words = str(error)
    else:
        raise AssertionError(f"no error: {message}")
    everyones = [None] * distributed.get_world_size()
    distributed.all_gather_object(everyones, words)
    assert everyones == [words] * len(everyones), everyones
    assert message in words and "\n" not in words, words


def bad_input():
    """What is wrong on one rank, or differs, is told on all."""
    last = distributed.get_world_size() - 1
    q, k, v = (torch.randn(1, 4, 8, 16) for _ in range(3))

    def on_last(bad, good):
        return bad if rank() == last else good

    refused(f"rank {last}] dtype Double", *(on_last(x.double(), x) for x in (q, k, v)))
    refused(f"rank {last}] device meta has no kernel", *(on_last(x.to("meta"), x) for x in (q, k, v)))
    refused("12 heads", *(on_last(torch.randn(1, 4, 12, 16), x) for x in (q, k, v)))
    refused("BFloat16", *(on_last(x.bfloat16(), x) for x in (q, k, v)))
    refused("with gradients", on_last(q.clone().requires_grad_(), q), k, v)
    refused("scheme lss", q, k, v, scheme=on_last("lss", "ring"))
    refused('scheme is "rings": choose', q, k, v, scheme="rings")
    refused('("ulysses", "ring")', q, k, v, scheme=("ring", "ulysses"))
    refused("needs", *(x[:, :, :1] for x in (q, k, v)), scheme="ulysses")
    refused("[batch, tokens, heads, width]", on_last(q[0], q), k, v)
    refused("k and v have 3", q, on_last(k[:, :3], k), on_last(v[:, :3], v))
    refused("no rank has a token", *(x[:, :0] for x in (q, k, v)))
    refused("tokens_of has 1 numbers", q, k, v, tokens_of=[4])
    refused("tokens_of says 5 tokens for this rank, and q has 4", q, k, v, tokens_of=[4] * last + [5])
    refused("tokens_of", q, k, v, tokens_of=on_last([5] + [4] * last, [4] * (last + 1)))
    some = distributed.new_group([0])
    if rank() == 0:
        assert graticule.attention(q, k, v, group=some).shape == q.shape
    else:
        try:
            graticule.attention(q, k, v, group=some)
        except ValueError as error:
            assert "not in the group" in str(error)
        else:
            raise AssertionError("a group without this rank was taken")


if __name__ == "__main__":
    torch.set_num_threads(1)
    distributed.init_process_group("gloo")
    for case in sys.argv[1:]:
        globals()[case]()
    distributed.destroy_process_group()
