"""Times training steps by several schemes on hosts with limited links, beside each other. The hosts are network
namespaces of this machine (network.py). It needs root, iproute2 and the built program:

    .venv/bin/python bench/exchange.py [--hosts 8] [--rate 50] [--heads 2] [--kv-heads 2] [--rounds 2]

The sequence is one sample over all hosts. With few key/value heads ulysses alone cannot divide it. `lss, keys move` is
lss as it was before its backward chose the cheaper side: a mesh of one row. Prints, for each scheme, the best step of
all rounds, and its ratio to the best of those without mesh and to lss whose keys move.
"""

import argparse
import math
import tempfile
from pathlib import Path

from network import network, prepare, shape, step

RECIPE = """
[data]
path = "synthetic:rows=64,columns={columns},variables=4,times=240"
lead_hours = 24
train = ["2001-01-01", "2001-02-10"]
batch = 1
[model]
tokens = "full"
patch = 2
dim = {dim}
depth = 2
heads = {heads}
kv_heads = {kv_heads}
[train]
steps = 100
warmup = 1
precision = "{precision}"
activations = "keep"
threads = 1
[run]
out = "{out}"
"""

KEYS_MOVE = "lss, keys move"


def layouts(ranks: int, kv_heads: int) -> dict[tuple[str, str], list[str]]:
    """The schemes, with ulysses inside as far as the heads allow: (what is inside, method)."""
    found = {}
    for ulysses in {1, math.gcd(ranks, kv_heads)}:
        inside = f"ulysses {ulysses}, " if ulysses > 1 else ""
        degrees = [f"parallel.ulysses={ulysses}", f"parallel.context={ranks // ulysses}"]
        if ulysses == ranks:
            found["", "ulysses"] = degrees
            continue
        for method in ("mesh", "lss", "ring"):
            found[inside, method] = [*degrees, f"parallel.context_method={method}"]
        found[inside, KEYS_MOVE] = [*found[inside, "mesh"], "parallel.mesh_rows=1"]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in {
        "hosts": 8,
        "rate": 50,
        "dim": 128,
        "heads": 2,
        "kv-heads": 2,
        "columns": 64,
        "rounds": 2,
        "repeats": 2,
    }.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--precision", default="fp32")
    options = parser.parse_args()
    hosts = range(1, options.hosts + 1)
    seconds: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as name, network(hosts):
        folder = Path(name)
        prepare(folder, RECIPE.format(out=folder / "run", **vars(options)))
        shape(hosts, options.rate)
        for _ in range(options.rounds):
            for scheme, layout in layouts(options.hosts, options.kv_heads).items():
                seconds.setdefault(scheme, []).append(step(hosts, folder, layout, options.repeats)["step_s"])
                print("".join(scheme), f"{seconds[scheme][-1]:.2f} s", flush=True)
    best = {scheme: min(times) for scheme, times in seconds.items()}
    without_mesh = min(value for (_, method), value in best.items() if method != "mesh")
    print("| scheme | s a step | over the best without mesh | over lss whose keys move |\n|---|---|---|---|")
    for (inside, method), value in best.items():
        ratios = f"{value / without_mesh:.2f} | {value / best[inside, KEYS_MOVE]:.2f}"
        print(f"| {inside}{method} | {value:.2f} | {ratios} |")


if __name__ == "__main__":
    main()
