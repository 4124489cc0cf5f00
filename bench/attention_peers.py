"""Times graticule.attention beside the sequence-parallel attention of other packages, over ranks on Gloo.

    python bench/attention_peers.py [--tokens 8192 16384] [--dtypes fp32 bf16] [--rounds 2] [--who graticule ...]
    python bench/attention_peers.py --ranks 4 --mbit 50 --tokens 4096 ...

Run it with a Python that has the package graticule (or PYTHONPATH=python after `make build`) and

    pip install torch==2.13.0 numpy deepspeed==0.19.8 yunchang==0.6.4

A contender that fails, or whose package is missing, is left out. Each runs in processes of its own, one thread a rank,
in `--rounds` rounds one after the other, so that a slow minute of the machine hits all of them. Each is compared with
one process first, on 1,024 tokens. Then forward and backward are timed: seconds of the slowest rank by the clock, and
of its processor, which other programs disturb less; the best of all rounds. Memory is the highest resident size of a
rank less its size before q, k and v were made.

deepspeed  DistributedAttention around PyTorch's attention.
yunchang   UlyssesAttention around PyTorch's attention: its own kernels are for CUDA alone.
torch      PyTorch's context parallelism: its ring template around the CPU kernel, by private names, because the public
           function knows no CPU kernel but the plain formula. Keys travel by all-gather, its default.
uneven     graticule.attention, where the ranks have 3/4 and 5/4 of the mean number of tokens.
"""

import argparse
import contextlib
import functools
import json
import os
import pathlib
import re
import subprocess
import sys
import time

import network

DTYPES = {"fp32": "float32", "bf16": "bfloat16"}
HEADS, WIDTH = 8, 64


def plain(q, k, v, **_):
    from torch.nn.functional import scaled_dot_product_attention as attend

    return attend(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)).transpose(1, 2)


def graticule_attention(scheme):
    import graticule

    return functools.partial(graticule.attention, scheme=scheme)


def deepspeed_attention():
    import deepspeed
    from deepspeed.sequence.layer import DistributedAttention
    from torch import distributed

    deepspeed.init_distributed(dist_backend="gloo")
    module = DistributedAttention(plain, distributed.group.WORLD, scatter_idx=2, gather_idx=1)
    return lambda q, k, v: module(q, k, v, 0)


def yunchang_attention():
    from torch import distributed
    from yunchang import UlyssesAttention
    from yunchang.kernels import AttnType

    module = UlyssesAttention(distributed.group.WORLD, attn_type=AttnType.from_string("torch_flash"))
    module.attn_fn = plain
    return module


def torch_attention():
    import torch
    from torch import distributed
    from torch.distributed.tensor.experimental._context_parallel import _attention as private

    private._cp_options.enable_load_balance = False  # for causal attention
    operators = torch.ops.aten
    forward = operators._scaled_dot_product_flash_attention_for_cpu
    backward = operators._scaled_dot_product_flash_attention_for_cpu_backward.default
    fixed = {"is_causal": False, "dropout_p": 0.0}

    class Ring(torch.autograd.Function):
        @staticmethod
        def forward(context, q, k, v):
            out, lse = private._templated_ring_attention(
                distributed.group.WORLD, 2, forward, query=q, key=k, value=v, **fixed
            )
            context.save_for_backward(q, k, v, out, lse)
            return out

        @staticmethod
        def backward(context, dout):
            names = ("query", "key", "value", "out", "logsumexp")
            saved = dict(zip(names, context.saved_tensors, strict=True))
            return private._templated_ring_attention_backward(
                distributed.group.WORLD, 2, backward, grad_out=dout, grad_out_name="grad_out", **saved, **fixed
            )

    return lambda q, k, v: Ring.apply(*(x.transpose(1, 2) for x in (q, k, v))).transpose(1, 2)


CONTENDERS = {
    "graticule": lambda: graticule_attention("ulysses"),
    "uneven": lambda: graticule_attention("ulysses"),
    "graticule-ring": lambda: graticule_attention("ring"),
    "graticule-lss": lambda: graticule_attention("lss"),
    "graticule-mesh": lambda: graticule_attention("mesh"),
    "deepspeed": deepspeed_attention,
    "yunchang": yunchang_attention,
    "torch": torch_attention,
}


def tokens_of(tokens, ranks, who):
    shares = [tokens // ranks] * ranks
    if who == "uneven":
        shift = tokens // ranks // 4
        shares[0], shares[-1] = shares[0] - shift, shares[-1] + shift
    return shares


def resident(key):
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"no {key} in /proc/self/status")


def check(attend, shares, dtype):
    """The largest error of out, dq, dk and dv beside one process in fp32, relative to the largest number."""
    import torch
    from torch import distributed

    rank = distributed.get_rank()
    whole = torch.randn(4, 1, sum(shares), HEADS, WIDTH, generator=torch.Generator().manual_seed(1))
    results = []
    for function, tensors in ((plain, whole), (attend, whole.to(dtype).split(shares, 2)[rank])):
        leaves = [x.clone().requires_grad_() for x in tensors[:3]]
        out = function(*leaves)
        out.backward(tensors[3])
        results.append([out.detach(), *(x.grad for x in leaves)])
    errors = [
        ((ours.float() - exact.split(shares, 1)[rank]).abs().max() / exact.abs().max()).item()
        for exact, ours in zip(*results, strict=True)
    ]
    return max(errors)


def run_rank(args):
    import torch
    from torch import distributed

    torch.set_num_threads(1)
    distributed.init_process_group("gloo")
    rank, ranks = distributed.get_rank(), distributed.get_world_size()
    dtype, who = getattr(torch, DTYPES[args.dtypes[0]]), args.who[0]
    attend, tokens = CONTENDERS[who](), args.tokens[0]
    small = [509, 515] if who.startswith(("graticule", "uneven")) and ranks == 2 else [1024 // ranks] * ranks
    start = resident("VmRSS")
    error = check(attend, small, dtype)
    assert error < (1e-4 if dtype == torch.float32 else 5e-2), f"{who} differs from one process by {error}"

    shape = (1, tokens_of(tokens, ranks, who)[rank], HEADS, WIDTH)
    generator = torch.Generator().manual_seed(rank)
    q, k, v, dout = (torch.randn(shape, generator=generator).to(dtype) for _ in range(4))
    for x in (q, k, v):
        x.requires_grad_()
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # the highest size starts anew
    best = torch.full((2,), float("inf"))  # seconds by the clock and of the processor
    for _ in range(args.repeats + 1):  # the first one warms up
        for x in (q, k, v):
            x.grad = None
        distributed.barrier()
        begin = time.perf_counter(), time.process_time()
        attend(q, k, v).backward(dout)
        slowest = torch.tensor([time.perf_counter() - begin[0], time.process_time() - begin[1]])
        distributed.all_reduce(slowest, op=distributed.ReduceOp.MAX)
        best = torch.minimum(best, slowest)
    most = torch.tensor(resident("VmHWM") - start)
    distributed.all_reduce(most, op=distributed.ReduceOp.MAX)
    if rank == 0:
        seconds, processor = best.tolist()
        result = {"seconds": seconds, "processor": processor, "mib": most.item(), "error": error}
        print("RESULT", json.dumps(result), flush=True)
    distributed.destroy_process_group()


def on_hosts(args, command, environment):
    """The finished first rank; each rank runs in a namespace of network.py."""
    ranks = []
    for host in range(1, args.ranks + 1):
        place = {"RANK": host - 1, "LOCAL_RANK": 0, "WORLD_SIZE": args.ranks, "MASTER_ADDR": network.ADDRESS.format(1)}
        place |= {"MASTER_PORT": 29500, "GLOO_SOCKET_IFNAME": "eth0"}
        words = [*network.inside(host), sys.executable, *command]
        told = subprocess.PIPE if host == 1 else subprocess.DEVNULL  # nobody would empty the others' pipes
        place = environment | {key: str(value) for key, value in place.items()}
        ranks.append(subprocess.Popen(words, text=True, stdout=told, stderr=told, env=place))
    told = ranks[0].communicate()
    for rank in ranks:
        rank.wait()
    return subprocess.CompletedProcess(command, ranks[0].returncode, *told)


def measured(args, who, tokens, dtype):
    """A result of run_rank; None if the contender fails, for instance because its package is missing."""
    command = [__file__, "--rank", "--who", who, "--tokens", str(tokens), "--dtypes", dtype]
    command += ["--repeats", str(args.repeats)]
    quiet = {"OMP_NUM_THREADS": "1", "DS_ACCELERATOR": "cpu", "PYTHONWARNINGS": "ignore", **os.environ}
    if args.mbit:
        done = on_hosts(args, command, quiet)
    else:
        launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(args.ranks)]
        done = subprocess.run([*launch, *command], capture_output=True, text=True, env=quiet)
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            return json.loads(line.removeprefix("RESULT "))
    reasons = [line for line in done.stderr.splitlines() if re.search(r"\b\w*(Error|Exception): ", line)]
    print(f"  {who} is left out: {reasons[0] if reasons else done.stderr[-400:]}", flush=True)
    return None


def compare(args, tokens, dtype):
    print(f"{tokens} tokens, {dtype}, {args.ranks} ranks, {HEADS} heads of width {WIDTH}, forward and backward")
    best = {}
    for turn in range(args.rounds):
        for who in args.who:
            result = measured(args, who, tokens, dtype)
            if result:
                best[who] = {key: min(result[key], best.get(who, result)[key]) for key in result}
                print(f"  round {turn + 1}: {who} {result['seconds']:.3f} s, {result['mib']:.0f} MiB", flush=True)
    ours = best.get("graticule")
    for who, result in best.items():
        beside = ""
        if ours and who != "graticule":
            beside = f"   graticule takes {ours['seconds'] / result['seconds']:.2f} of its time, "
            beside += f"{ours['mib'] / result['mib']:.2f} of its memory"
        times = f"{result['seconds']:8.3f} s ({result['processor']:.3f} s of a core)"
        print(f"  {who:<16} {times} {result['mib']:7.0f} MiB{beside}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, nargs="+", default=[8192, 16384], help="of all ranks together")
    parser.add_argument("--dtypes", nargs="+", choices=DTYPES, default=list(DTYPES))
    parser.add_argument(
        "--who", nargs="+", choices=CONTENDERS, default=["graticule", "uneven", "deepspeed", "yunchang", "torch"]
    )
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=1, help="timed calls of each round, after one that warms up")
    parser.add_argument("--mbit", type=int, help="each rank on a host of its own, with links of so many Mbit/s (root)")
    parser.add_argument("--rank", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.rank:
        run_rank(args)
        return
    hosts = range(1, args.ranks + 1)
    with network.network(hosts) if args.mbit else contextlib.nullcontext():
        if args.mbit:
            network.shape(hosts, args.mbit)
        for tokens in args.tokens:
            for dtype in args.dtypes:
                compare(args, tokens, dtype)


if __name__ == "__main__":
    main()
