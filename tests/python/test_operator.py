"""Tests the operator in PyTorch: value and gradients against SDPA, opcheck, torch.compile, errors."""

import pytest
import torch

from graticule import flash_attention
from seed import SEED


def make(shape_q=(2, 33, 4, 16), keys=21, groups=4, dtype=torch.float32):
    torch.manual_seed(SEED)
    batch, _, _, width = shape_q
    shapes = (shape_q, (batch, keys, groups, width), (batch, keys, groups, width))
    return [torch.randn(shape, dtype=dtype, requires_grad=True) for shape in shapes]


def sdpa(q, k, v, scale=None):
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    return torch.nn.functional.scaled_dot_product_attention(q, k, v, scale=scale, enable_gqa=True).transpose(1, 2)


@pytest.mark.parametrize("groups", [4, 2, 1])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_value_and_gradients_are_those_of_sdpa(dtype, groups):
    ours = make(groups=groups, dtype=dtype)
    theirs = [x.detach().double().requires_grad_() for x in ours]
    out, exact = flash_attention(*ours), sdpa(*theirs)
    grad = torch.randn_like(out)
    out.backward(grad)
    exact.backward(grad.double())
    tolerance = {"rtol": 1e-4, "atol": 1e-5} if dtype == torch.float32 else {"rtol": 2e-2, "atol": 2e-2}
    torch.testing.assert_close(out.double(), exact, **tolerance)
    for x, y in zip(ours, theirs, strict=True):
        assert x.grad.dtype == dtype
        torch.testing.assert_close(x.grad.double(), y.grad, **tolerance)


def test_log_sum_exp_is_differentiable():
    q, k, v = make()
    _, lse = flash_attention(q, k, v, return_lse=True)
    weight = torch.randn_like(lse)
    ours = torch.autograd.grad(lse, (q, k), weight)
    exact = torch.logsumexp(torch.einsum("bthd,bshd->bhts", q, k) / 4, -1)
    for x, y in zip(ours, torch.autograd.grad(exact, (q, k), weight), strict=True):
        torch.testing.assert_close(x, y, rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore:.*double precision.*")
def test_numerical_gradients():
    inputs = make(shape_q=(1, 3, 2, 4), keys=5, groups=1)
    check = torch.autograd.gradcheck
    assert check(
        lambda *x: torch.ops.graticule.flash_attention(*x), inputs, eps=1e-2, atol=2e-3, rtol=1e-2, nondet_tol=0
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_opcheck(dtype):
    q, k, v = make(dtype=dtype)
    torch.library.opcheck(torch.ops.graticule.flash_attention.default, (q, k, v))
    torch.library.opcheck(torch.ops.graticule.flash_attention.default, (q, k, v, 0.5))
    plain = [x.detach() for x in (q, k, v)]
    out, lse = torch.ops.graticule.flash_attention(*plain)
    backward = torch.ops.graticule.flash_attention_backward.default
    torch.library.opcheck(backward, (torch.ones_like(out), *plain, out, lse, None, torch.ones_like(lse)))


@pytest.mark.parametrize("dynamic", [False, True])
def test_compile_traces_forward_and_backward(dynamic):
    def loss(q, k, v):
        return (flash_attention(q * 2, k, v) ** 2).sum()

    inputs = make()
    expected = torch.autograd.grad(loss(*inputs), inputs)
    compiled = torch.compile(loss, fullgraph=True, dynamic=dynamic, backend="aot_eager")
    for x, y in zip(torch.autograd.grad(compiled(*inputs), inputs), expected, strict=True):
        torch.testing.assert_close(x, y)


def test_meta_tensors_give_shapes():
    q, k, v = (x.detach().to("meta") for x in make(groups=2))
    out, lse = flash_attention(q, k, v, return_lse=True)
    assert out.shape == q.shape and lse.shape == (2, 4, 33) and lse.dtype == torch.float32


def test_bad_input_is_refused_with_a_reason():
    q, k, v = (x.detach() for x in make())
    for bad, reason in [
        ((q, k, v[:, 1:]), "they must be equal"),
        ((q.int(), k.int(), v.int()), "choose float32, bfloat16 or float16"),
        ((q[:, :, :3], k[:, :, :2], v[:, :, :2]), "multiple"),
        ((q[..., :0], k[..., :0], v[..., :0]), "from 1 to 256"),
        ((q, k.bfloat16(), v), "one dtype"),
        ((q[0], k, v), "\\[batch, tokens, heads, width\\]"),
    ]:
        with pytest.raises(Exception, match=reason):
            flash_attention(*bad)
