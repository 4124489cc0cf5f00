"""Compares attention over a million tokens with fp64, row by row: some queries over all keys, and all queries over some
keys. Rows of attention do not depend on each other, so a few of them say what a whole call would.

  PYTHONPATH=python .venv/bin/python bench/million_rows.py

Queries over all keys: out and dq are sums over the keys. Queries over some keys: dk and dv are sums over the queries.
"""

import argparse

import torch

import graticule

WIDTH = 64


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=1 << 20, help="(1,048,576)")
    parser.add_argument("--rows", type=int, default=96, help="queries, or keys, of the other side (96)")
    parser.add_argument("--sharpness", type=float, default=3, help="deviation of the scores (3)")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def draw(tokens, keys, options, dtype):
    """q, k, v and dout [1, tokens or keys, 1, WIDTH] of a dtype; all of the same numbers for both dtypes."""
    generator = torch.Generator().manual_seed(options.seed)

    def one(rows, deviation=1.0):
        return (deviation * torch.randn(1, rows, 1, WIDTH, generator=generator)).to(dtype)

    return one(tokens, options.sharpness), one(keys), one(keys), one(tokens)


def ours(q, k, v, dout):
    leaves = [x.detach().requires_grad_() for x in (q, k, v)]
    out = graticule.flash_attention(*leaves)
    return dict(zip(("out", "dq", "dk", "dv"), (out.detach(), *torch.autograd.grad(out, leaves, dout)), strict=True))


def plain(q, k, v, dout, chunk=16):
    """The same in fp64 by the plain formula, some queries at a time."""
    q, k, v, dout = (x[0, :, 0].double() for x in (q, k, v, dout))
    chunk = max(1, chunk * (1 << 20) // k.shape[0])
    out, dq, dk, dv = torch.empty_like(q), torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
    scale = WIDTH**-0.5
    for first in range(0, q.shape[0], chunk):
        rows = slice(first, first + chunk)
        p = torch.softmax(scale * q[rows] @ k.T, dim=1)
        out[rows] = p @ v
        dv += p.T @ dout[rows]
        ds = p * (dout[rows] @ v.T - (dout[rows] * out[rows]).sum(1, keepdim=True))
        dq[rows] = scale * ds @ k
        dk += scale * ds.T @ q[rows]
    return {name: x[None, :, None] for name, x in zip(("out", "dq", "dk", "dv"), (out, dq, dk, dv), strict=True)}


def main():
    options = arguments()
    print("| rows | dtype | result | largest error / largest value | rms of the error / rms of the values |")
    print("|---|---|---|---|---|")
    few, many = options.rows, options.tokens
    for title, sizes, names in (
        (f"{few} queries over {many} keys", (few, many), ("out", "dq")),
        (f"{many} queries over {few} keys", (many, few), ("dk", "dv")),
    ):
        for dtype in (torch.float32, torch.bfloat16):
            inputs = draw(*sizes, options, dtype)
            mine, theirs = ours(*inputs), plain(*inputs)
            for name in names:
                error = mine[name].double() - theirs[name]
                largest = (error.abs().max() / theirs[name].abs().max()).item()
                typical = (error.square().mean() / theirs[name].square().mean()).sqrt().item()
                print(f"| {title} | {str(dtype)[6:]} | {name} | {largest:.1e} | {typical:.1e} |", flush=True)


if __name__ == "__main__":
    main()
