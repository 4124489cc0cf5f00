"""What others measured on large machines, beside the simulator, and how one sample scales. It prints two tables.

    bench/published.py [--jobs 2]

No parameter of the simulator was chosen by these figures: rates, bandwidths and latencies are those of clusters/,
the conditions those of docs/simulator.md. Where a publication does not say what was run, the case below is our guess.
The answers are kept in build/scaling, so a stopped run continues.
"""

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor

from scaling import CONDITIONS, table
from scaling_cases import FOLDER, MODELS, Case, answer, recipe_of

PATIENCE_S = 900  # with one answer; a machine whose devices differ is played whole
WORST = list(CONDITIONS.values())[-1]  # all conditions together

# ringX's run, from submit_frontier_cp.sh and config/ViT.yaml of github.com/jqyin/climate-vit; the batch is a guess.
RINGX_RANKS = 64
RINGX = """[data]
path = "synthetic:rows=360,columns=720,variables=20,times=100"
train = ["2001-01-01", "2001-01-20"]
batch = 1
[model]
tokens = "channels"
patch = 1
dim = 1024
depth = 12
heads = 8
[train]
precision = "bf16"
device = "cuda"
activations = "keep"
"""

# ORBIT's abstract has neither batch nor layout. Here 6,144 samples of 2,048 tokens, tensor 8 inside a node, weights
# shared out over 64 ranks.
ORBIT_SHARD = {"shard": "full", "shard_ranks": 64}
ORBIT_RANKS = (512, 49152)
ORBIT_MODELS = ("1B", "10B")
ORBIT = """[data]
path = "synthetic:rows=128,columns=256,variables=48,times=20000"
train = ["2001-01-01", "2009-01-01"]
batch = 6144
[model]
tokens = "aggregated"
patch = 4
dim = {}
depth = {}
heads = {}
[train]
precision = "bf16"
device = "cuda"
activations = "keep"
"""

# One sample over more and more devices: ulysses and the weights' shards inside a node of eight, the rest is context.
STRONG_RANKS = (8, 32, 128, 512, 2048)
STRONG_CLUSTERS = ("frontier", "dgx_h100")
WAYS = {  # a mesh of one row moves keys forward and backward
    "keys move backward": {"context_method": "mesh", "mesh_rows": 1},
    "lss: the cheaper side moves": {"context_method": "lss"},
    "mesh": {"context_method": "mesh"},
}


def seconds(recipe: str, cluster: str, ranks: int, *conditions: object, **layout: object) -> float:
    """Seconds of a simulated step; 0 if it took too long, or the cluster is smaller."""
    settings = [word for key, value in layout.items() for word in ("--set", f"parallel.{key}={value}")]
    words = ("simulate", "--cluster", cluster, "--ranks", ranks, *settings, *conditions)
    found = answer(recipe, *words, patience_s=PATIENCE_S)
    return found["step_s"] if found else 0


def weak_efficiency() -> float:
    """1B parameters, 188,416 tokens, a sample for every 8 devices, all conditions: 2,048 devices against 8."""

    def step(ranks: int) -> float:
        recipe = recipe_of(Case("1B", "188,416", "all axes", ranks, ranks // 8), 'activations = "keep"\n')
        layout = {"context": 4, "ulysses": 2, "context_method": "ring", "shard": "gradients", "head_groups": 8}
        return seconds(recipe, "frontier", ranks, *WORST, data=ranks // 8, **layout)

    few, many = step(8), step(2048)
    return few / many if many else 0


def orbit_efficiency(model: str) -> float:
    few, many = (
        seconds(ORBIT.format(*MODELS[model]), "frontier", ranks, tensor=8, data=ranks // 8, **ORBIT_SHARD)
        for ranks in ORBIT_RANKS
    )
    return few * ORBIT_RANKS[0] / (many * ORBIT_RANKS[1]) if many else 0


def ringx_speedup(method: str) -> float:
    ring, other = (
        seconds(RINGX, "frontier", RINGX_RANKS, context=RINGX_RANKS, context_method=m) for m in ("ring", method)
    )
    return ring / other if other else 0


def published() -> str:
    weak = weak_efficiency()
    rows = [
        ("weak scaling to 2,048 GCDs (arXiv 2405.15780)", "94 %", weak, weak / 0.94),
        ("AERIS, weak scaling to 10,080 nodes of Aurora (2509.13523)", "95.5 %", weak, weak / 0.955),
    ]
    for model, (name, figure) in zip(ORBIT_MODELS, (("lowest", 0.41), ("highest", 0.85)), strict=True):
        share = orbit_efficiency(model)
        what = f"ORBIT, strong scaling to 49,152 GCDs, the {name} of its models (2404.14712); here {model}"
        rows.append((what, f"{100 * figure:.0f} %", share, share / figure))
    for method in ("lss", "mesh"):
        speedup = ringx_speedup(method)
        rows.append(
            (f"ringX over ring, climate ViT of 259,200 tokens; here {method} over ring", "1.5", speedup, speedup / 1.5)
        )
    head = ["figure", "published", "simulated", "ratio"]
    return table(head, [[what, says, f"{ours:.3g}", f"{ratio:.2f}"] for what, says, ours, ratio in rows])


def strong(jobs: int) -> str:
    cases = [(cluster, way, ranks) for cluster in STRONG_CLUSTERS for way in WAYS for ranks in STRONG_RANKS]

    def step(case: tuple[str, str, int]) -> float:
        cluster, way, ranks = case
        recipe = recipe_of(Case("1B", "188,416", "all axes", ranks, 1), 'activations = "keep"\n')
        return seconds(recipe, cluster, ranks, ulysses=8, context=ranks // 8, shard="full", shard_ranks=8, **WAYS[way])

    with ThreadPoolExecutor(jobs) as pool:
        steps = dict(zip(cases, pool.map(step, cases), strict=True))
    rows = []
    for cluster in STRONG_CLUSTERS:
        for way in WAYS:
            first = steps[cluster, way, STRONG_RANKS[0]] * STRONG_RANKS[0]
            cells = [(steps[cluster, way, ranks], ranks) for ranks in STRONG_RANKS]
            rows.append([cluster, way, *(f"{s:.3g} s, {100 * first / s / r:.1f} %" if s else "-" for s, r in cells)])
    return table(["machine", "exchange", *(f"{ranks:,}" for ranks in STRONG_RANKS)], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2, help="simulations at a time")
    arguments = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    print(published())
    print()
    print(strong(arguments.jobs))


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as error:
        sys.exit(str(error))
