"""Measures the resident memory of one training step, of this library and of PyTorch's FSDP2, on two ranks.

    bench/peer_memory.py step    --side torch|graticule --tokens 4096 [--dim 1024 --depth 2 --heads 16 --dtype fp32]
    bench/peer_memory.py longest --limit-gib 4 [--sizes 1024 4096] [--our-sizes 8192 16384] [--rounds 1] [model]

`longest` finds the longest sequence whose step stays within the limit on every rank, for both sides. Memory is linear
in the tokens. So it measures two sizes, draws a line through them, and measures again where the line reaches the limit
(--rounds times; with 0 it trusts the line). A rank of FSDP2 does about 18 x tokens^2 x dim x depth operations in
attention, a rank of ours half of it. At 16,384 tokens, dim 1024, depth 2 and 80 GF/s that is two minutes and one.

Both sides have the same pre-norm blocks (MLP ratio 4, GELU, biases), one value a token in and out, squared error, AdamW
with fp32 master weights and moments, weights sharded over the ranks, and recomputation of each block in the backward.
FSDP2 uses `fully_shard` and `torch.utils.checkpoint` for each block, scaled_dot_product_attention and Gloo. Each of
its ranks has a whole sample, because FSDP has no sequence axis. Our side is `graticule bench step` with the flags of
--ours; its ranks share one sample. The figure of a rank is its highest resident size during a step with the state of
the optimizer in memory (FSDP2 makes the state in a step of 64 tokens, we make it at the start). It includes the
libraries (--tokens 64 shows their part).

Run it on a quiet machine with enough memory: nothing limits the memory of a step.
"""

import argparse
import json
import math
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
GIB = 2**30


def peak_bytes():
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no VmHWM in /proc/self/status")


def make_model(dim, depth, heads):
    from torch import nn
    from torch.nn import functional
    from torch.utils.checkpoint import checkpoint

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norms = nn.ModuleList([nn.LayerNorm(dim), nn.LayerNorm(dim)])
            self.into_heads, self.out_of_heads = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
            self.widen, self.narrow = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

        def compute(self, x):
            qkv = self.into_heads(self.norms[0](x)).unflatten(-1, (3, heads, dim // heads))
            q, k, v = (part.transpose(1, 2) for part in qkv.unbind(2))
            attended = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
            x = x + self.out_of_heads(attended)
            return x + self.narrow(functional.gelu(self.widen(self.norms[1](x))))

        def forward(self, x):
            return checkpoint(self.compute, x, use_reentrant=False)

    return nn.Sequential(nn.Linear(1, dim), *[Block() for _ in range(depth)], nn.LayerNorm(dim), nn.Linear(dim, 1))


def torch_rank(rank, args, folder):
    import torch
    from torch import distributed
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=args.ranks)
    model = make_model(args.dim, args.depth, args.heads)
    mesh = init_device_mesh("cpu", (args.ranks,))
    compute = torch.bfloat16 if args.dtype == "bf16" else torch.float32
    policy = MixedPrecisionPolicy(param_dtype=compute, reduce_dtype=torch.float32)
    for block in model[1:-2]:
        fully_shard(block, mesh=mesh, mp_policy=policy)
    fully_shard(model, mesh=mesh, mp_policy=policy)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)

    def step(tokens):
        x, target = torch.randn(1, tokens, 1), torch.randn(1, tokens, 1)
        loss = (model(x).float() - target).square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    step(64)  # makes the optimizer's state
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    loss = step(args.tokens)
    assert math.isfinite(loss), loss
    pathlib.Path(folder, f"peak-{rank}").write_text(str(peak_bytes()))
    distributed.destroy_process_group()


def torch_peak(args):
    """GiB of the fullest rank, measured in a new interpreter that inherits nothing."""
    quiet = {**os.environ, "OMP_NUM_THREADS": str(args.threads), "PYTHONWARNINGS": "ignore"}
    with tempfile.TemporaryDirectory() as folder:
        ranks = [
            subprocess.Popen([sys.executable, __file__, "rank", json.dumps(vars(args)), str(rank), folder], env=quiet)
            for rank in range(args.ranks)
        ]
        codes = [rank.wait() for rank in ranks]
        if any(codes):
            raise RuntimeError(f"PyTorch's ranks ended with {codes} at {args.tokens} tokens (out of memory: -9)")
        return max(int(pathlib.Path(folder, f"peak-{rank}").read_text()) for rank in range(args.ranks)) / GIB


def graticule_peak(args):
    command = [ROOT / ".venv/bin/mpiexec", "-n", args.ranks, args.program, "bench", "step", "--json", "--repeats", 1]
    for name in ("tokens", "dim", "depth", "heads", "threads"):
        command += [f"--{name}", getattr(args, name)]
    command += ["--precision", args.dtype, *shlex.split(args.ours)]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}\n{done.stderr}")
    return max(json.loads(done.stdout.strip().splitlines()[-1])["peak_memory_bytes"]) / GIB


SIDES = {"torch": torch_peak, "graticule": graticule_peak}


def measured(args, side, tokens):
    gib = SIDES[side](argparse.Namespace(**{**vars(args), "tokens": tokens}))
    print(f"{side:<10} {tokens:>9,} tokens  {gib:8.3f} GiB a rank", flush=True)
    return tokens, gib


def longest(args, side):
    """Tokens of the longest sequence that fits, from the line through the two largest measured sizes."""
    sizes = args.our_sizes if side == "graticule" and args.our_sizes else args.sizes
    points = [measured(args, side, tokens) for tokens in sizes]
    for rounds_left in range(args.rounds, -1, -1):
        (n1, m1), (n2, m2) = sorted(points)[-2:]
        slope = (m2 - m1) / (n2 - n1)
        assert slope > 0, f"no more memory at {n2} tokens than at {n1}: take larger --sizes"
        predicted = int(n2 + (args.limit_gib - m2) / slope) // 64 * 64
        print(f"{side:<10} {slope * GIB:,.0f} bytes a token: {args.limit_gib} GiB at {predicted:,} tokens", flush=True)
        if rounds_left == 0 or any(n == predicted for n, _ in points):
            return predicted
        points.append(measured(args, side, predicted))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    modes = parser.add_subparsers(dest="mode", required=True)
    for mode in ("step", "longest"):
        command = modes.add_parser(mode)
        command.add_argument("--dim", type=int, default=1024)
        command.add_argument("--depth", type=int, default=2)
        command.add_argument("--heads", type=int, default=16)
        command.add_argument("--dtype", choices=["fp32", "bf16"], default="fp32")
        command.add_argument("--ranks", type=int, default=2)
        command.add_argument("--threads", type=int, default=1)
        command.add_argument("--program", default=str(ROOT / "build/release/graticule"))
        command.add_argument(
            "--ours",
            default="--ulysses 2 --shard full --activations recompute --warm-up 0 --set parallel.head_groups=8",
            help="flags of graticule bench step",
        )
    modes.choices["step"].add_argument("--side", choices=SIDES, required=True)
    modes.choices["step"].add_argument("--tokens", type=int, required=True)
    modes.choices["longest"].add_argument("--limit-gib", type=float, required=True)
    modes.choices["longest"].add_argument("--sizes", type=int, nargs=2, default=[1024, 4096])
    modes.choices["longest"].add_argument("--our-sizes", type=int, nargs=2, help="other sizes for our side")
    modes.choices["longest"].add_argument("--rounds", type=int, default=1)
    return parser.parse_args()


def main():
    if sys.argv[1:2] == ["rank"]:
        torch_rank(int(sys.argv[3]), argparse.Namespace(**json.loads(sys.argv[2])), sys.argv[4])
        return
    args = arguments()
    if args.mode == "step":
        measured(args, args.side, args.tokens)
        return
    found = {side: longest(args, side) for side in SIDES}
    print(
        f"{args.limit_gib} GiB a rank: graticule's sequence is {found['graticule'] / found['torch']:.1f} times as long"
    )


if __name__ == "__main__":
    main()
