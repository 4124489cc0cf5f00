"""The scaling study: 8 to 2,048 GCDs of Frontier, by planner and simulator. It writes reports/scaling.md.

    bench/scaling.py [--jobs 2] [--again]

The study has three models (100 million, 1 and 10 billion parameters), two lengths (188,416 and 1,048,576 tokens) and
five numbers of ranks. For each of them the planner finds the best layout of five families: Ulysses, LSS, ring, both
sequence axes, and all axes. Strong scaling keeps the batch. Weak scaling (the paper's batch scaling) gives every 8
ranks one sample. The simulator runs the paper's regime too. The answers are kept in build/scaling, so a stopped run
continues; --again asks everything again.
"""

import argparse
import statistics
import sys
from concurrent.futures import ThreadPoolExecutor

from scaling_cases import (
    CLUSTER,
    EVERYTHING,
    FAMILIES,
    FIELDS,
    FOLDER,
    MODELS,
    PATIENCE_S,
    RANKS,
    RANKS_A_SAMPLE,
    ROOT,
    SIMULATED_RANKS,
    STRONG_BATCH,
    Case,
    batch_of,
    cases,
    families_of,
    planned,
    samples_per_second,
    simulated,
)

PICTURES = ROOT / "reports" / "pictures"
PAGE = ROOT / "reports" / "scaling.md"

# What makes a real machine slower; docs/simulator.md has the sources.
UNEVEN = ("--spread", "1.5")
SHARED = ("--other-jobs", "50")
FILES = ("--read", "--checkpoint-every", "500")
CONDITIONS = {
    "none": (),
    "devices differ by 1.5 %": UNEVEN,
    "other jobs take half of the links above nodes": SHARED,
    "both, samples are read, and a checkpoint is written every 500 steps": (*UNEVEN, *SHARED, *FILES),
}
CONDITIONS_MODEL = "1B"
SEEDS = (1, 2, 3, 4)  # a condition with draws is the mean over these; with the most ranks, over the first


# Tables.


def number(value: float, digits: int = 3) -> str:
    return f"{value:.{digits}g}" if value else "does not fit"


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def speeds_of(model: str, tokens: str, ranks: int, weak: bool, plans: dict, families: list[str]) -> dict[str, float]:
    """Samples per second of each family; 0 if nothing fits."""
    every = {family: Case(model, tokens, family, ranks, batch_of(ranks, weak)) for family in families}
    return {family: samples_per_second(case, plans[case]) for family, case in every.items()}


def scaling_table(model: str, tokens: str, plans: dict, weak: bool) -> str:
    rows = []
    for ranks in RANKS:
        speeds = speeds_of(model, tokens, ranks, weak, plans, families_of(weak))
        best = max(speeds.values())
        cells = [f"**{number(v)}**" if v and v > 0.999 * best else number(v) for v in speeds.values()]
        rows.append([f"{ranks:,}", str(batch_of(ranks, weak)), *cells])
    return table(["ranks", "batch", *families_of(weak)], rows)


def efficiency(model: str, tokens: str, plans: dict, weak: bool) -> list[tuple[int, float]]:
    """Samples per second and rank with all axes, divided by that of the fewest ranks that fit."""
    points, first = [], None
    for ranks in RANKS:
        case = Case(model, tokens, EVERYTHING, ranks, batch_of(ranks, weak))
        speed = samples_per_second(case, plans[case]) / ranks
        if not speed:
            continue
        first = first or speed
        points.append((ranks, speed / first))
    return points


def efficiency_table(plans: dict, weak: bool) -> str:
    rows = []
    for tokens in FIELDS:
        for model in MODELS:
            points = dict(efficiency(model, tokens, plans, weak))
            rows.append(
                [tokens, model, *(f"{100 * points[r]:.1f} %" if r in points else "does not fit" for r in RANKS)]
            )
    return table(["tokens", "parameters", *(f"{ranks:,}" for ranks in RANKS)], rows)


def last_best(plans: dict) -> str:
    """The numbers of ranks at which each sequence family is the best, or within 1 % of the best."""
    sequence = [family for family in FAMILIES if family != EVERYTHING]
    rows = []
    for tokens in FIELDS:
        for model in MODELS:
            good = {family: [] for family in sequence}
            for ranks in RANKS:
                speeds = speeds_of(model, tokens, ranks, True, plans, sequence)
                for family, speed in speeds.items():
                    if speed and speed >= 0.99 * max(speeds.values()):
                        good[family].append(f"{ranks:,}")
            rows.append([tokens, model, *(", ".join(ranks) or "never" for ranks in good.values())])
    return table(["tokens", "parameters", *sequence], rows)


def winners(plans: dict) -> str:
    rows = []
    for tokens in FIELDS:
        for model in MODELS:
            for ranks in (RANKS[0], RANKS[-1]):
                case = Case(model, tokens, EVERYTHING, ranks, ranks // RANKS_A_SAMPLE)
                plan = plans[case]
                if not plan:
                    rows.append([tokens, model, f"{ranks:,}", "nothing fits", "", "", ""])
                    continue
                parts = plan["parts_s"]
                shares = ", ".join(
                    f"{k} {100 * v / plan['step_s']:.0f} %" for k, v in parts.items() if v > 0.005 * plan["step_s"]
                )
                rows.append(
                    [tokens, model, f"{ranks:,}", plan["described"], f"{plan['step_s']:.3g}",
                     f"{100 * plan['share_of_peak']:.1f} %", shares]
                )  # fmt: skip
    return table(["tokens", "parameters", "ranks", "best layout", "step s", "of peak", "where the time goes"], rows)


# The paper's regime: 188,416 tokens, batch growing with the ranks.


def papers_regime() -> tuple[str, dict[str, float]]:
    rows, last = [], {}
    for model in MODELS:
        first: dict[str, float] = {}
        for ranks in SIMULATED_RANKS:
            case = Case(model, "188,416", EVERYTHING, ranks, ranks // RANKS_A_SAMPLE)
            plan = planned(case)
            if not plan:
                rows.append([model, f"{ranks:,}", "does not fit", "", ""])
                continue
            simulation = simulated(case, plan)
            seconds = {"planner": plan["step_s"], "simulator": simulation["step_s"] if simulation else 0}
            rates = {name: case.batch / value / ranks if value else 0 for name, value in seconds.items()}
            first = first or rates
            shares = {name: rates[name] / first[name] for name in rates}
            if ranks == SIMULATED_RANKS[-1] and simulation:
                last[model] = shares["simulator"]
            cells = [
                f"{seconds[name]:.3g} s, {100 * shares[name]:.1f} %" if seconds[name] else f"longer than {PATIENCE_S} s"
                for name in seconds
            ]
            rows.append([model, f"{ranks:,}", plan["described"], *cells])
    head = ["parameters", "ranks", "layout", "planner", "simulator"]
    return table(head, rows), last


def seconds_under(condition: tuple[str, ...], case: Case, plan: dict) -> float:
    """Seconds of a simulated step, the mean over SEEDS; 0 if one took too long.

    The slowest of many devices hardly depends on the seed, so the most ranks have one.
    """
    draws = "--spread" in condition and case.ranks < SIMULATED_RANKS[-1]
    seeds = SEEDS if draws else SEEDS[:1]
    answers = [simulated(case, plan, (*condition, "--seed", str(seed))) for seed in seeds]
    return statistics.fmean(found["step_s"] for found in answers) if all(answers) else 0


def conditions() -> tuple[str, float]:
    """The table of CONDITIONS, and the efficiency of the most ranks under the last one, all together."""
    rows, shares = [], [0.0]
    for name, condition in CONDITIONS.items():
        rates = []
        for ranks in SIMULATED_RANKS:
            case = Case(CONDITIONS_MODEL, "188,416", EVERYTHING, ranks, ranks // RANKS_A_SAMPLE)
            seconds = seconds_under(condition, case, planned(case))
            rates.append(case.batch / seconds / ranks if seconds else 0)
        shares = [rate / rates[0] for rate in rates]
        rows.append([name, *(f"{100 * share:.1f} %" if share else f"longer than {PATIENCE_S} s" for share in shares)])
    return table(["condition", *(f"{ranks:,} ranks" for ranks in SIMULATED_RANKS)], rows), shares[-1]


def draw(plans: dict) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    styles = dict(zip(FAMILIES, ("o-", "s--", "^:", "D-.", "k-"), strict=True))
    for weak, name in ((False, "strong"), (True, "weak")):
        figure, axes = plt.subplots(len(FIELDS), len(MODELS), figsize=(12, 7), sharex=True, layout="constrained")
        for row, tokens in zip(axes, FIELDS, strict=True):
            for axis, model in zip(row, MODELS, strict=True):
                for family in families_of(weak):
                    style = styles[family]
                    points = []
                    for ranks in RANKS:
                        case = Case(model, tokens, family, ranks, ranks // RANKS_A_SAMPLE if weak else STRONG_BATCH)
                        speed = samples_per_second(case, plans[case])
                        if speed:
                            points.append((ranks, 3600 * speed / ranks))
                    if points:
                        axis.plot(*zip(*points, strict=True), style, label=family, markersize=4, linewidth=1.2)
                axis.set(xscale="log", title=f"{model} parameters, {tokens} tokens")
                axis.set_xticks(RANKS, [f"{ranks:,}" for ranks in RANKS], minor=False)
                axis.minorticks_off()
                axis.set_ylim(0, 1.1 * axis.get_ylim()[1])
        for axis in axes[-1]:
            axis.set_xlabel("GCDs")
        for axis in axes[:, 0]:
            axis.set_ylabel("samples an hour and GCD")
        handles, labels = max((axis.get_legend_handles_labels() for axis in axes.flat), key=lambda pair: len(pair[0]))
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
        figure.savefig(PICTURES / f"scaling_{name}.png", dpi=110)
        plt.close(figure)


def page(plans: dict) -> str:
    paper, last = papers_regime()
    slower, together = conditions()
    ours = ", ".join(f"{100 * share:.1f} % ({model})" for model, share in last.items())
    models = ", ".join(
        f"{name} of {depth} blocks, width {dim}, {heads} heads" for name, (dim, depth, heads) in MODELS.items()
    )
    tokens = next(iter(FIELDS))

    def least(weak: bool) -> str:
        shares = [s for model in MODELS for length in FIELDS for _, s in efficiency(model, length, plans, weak)]
        return f"{100 * min(shares):.1f} %"

    parts = [
        f"""# Scaling, {RANKS[0]} to {RANKS[-1]:,} GCDs of Frontier

With the best layout, the planner predicts at least {least(True)} weak-scaling and {least(False)} strong-scaling
efficiency for every model, length and number of ranks on this page. The simulator adds contention in the network; for
weak scaling of {tokens} tokens to {SIMULATED_RANKS[-1]:,} GCDs it predicts {ours}. With uneven devices, other jobs and
the file system of a real machine it predicts {100 * together:.1f} % ({CONDITIONS_MODEL}); the paper measured 94 %.
Nothing on this page was measured on Frontier.

`make scaling` (bench/scaling.py) writes this page with the [planner](../docs/planner.md) and the
[simulator](../docs/simulator.md). They use clusters/{CLUSTER}.toml: 73.5 TFLOP/s sustained in bf16 per GCD, 50 GB/s
within a node, 4 x 25 GB/s out of a node. That file names the source of every number. The study assumes bf16. Except
where a table says otherwise, it assumes equally fast GCDs, no time for reading data, and no other jobs on the network.
Models: {models}.

| word | meaning |
| --- | --- |
| weak scaling | every {RANKS_A_SAMPLE} ranks get one sample |
| strong scaling | {STRONG_BATCH} samples a step, whatever the number of ranks (only with all axes) |
| family | the sequence axes that a layout may use; a table column has the planner's best layout of one family |
| `ulysses`, `lss`, `ring` | families with this one sequence axis |
| ulysses x lss or ring | a family with both sequence axes |
| all axes | a family with tensor and pipeline axes too |

In every family the planner chooses shard level, policy, micro-batches and data degree.

## The paper's 94 %

arXiv 2405.15780 reports 94 % batch-scaling efficiency on 2,048 GCDs. The table has the same regime: {tokens} tokens and
one sample for every {RANKS_A_SAMPLE} GCDs. The percentage is samples per second and GCD, divided by the same figure for
{SIMULATED_RANKS[0]} GCDs. Here the simulator has only the contention in the network.

{paper}

The paper measured its figure, on a real machine. The next table has the simulator under conditions of real machines
([sources](../docs/simulator.md#what-makes-real-machines-slower)); the half of the links is a guess. No number was
chosen to reach the paper's. {CONDITIONS_MODEL} parameters; relative to {SIMULATED_RANKS[0]} ranks
under the same condition; draws are means over {len(SEEDS)} seeds, with {SIMULATED_RANKS[-1]:,} ranks of one.

{slower}

All ranks wait for the slowest device, and among more devices the slowest is slower: that is most of what is lost.
What is left between {100 * together:.1f} % and 94 % is not explained here. The paper's program differs from this
one, and its abstract does not say which layout and model the figure is of.

## Efficiency of the best layout

Weak scaling, relative to the fewest ranks that fit:

{efficiency_table(plans, True)}

Strong scaling:

{efficiency_table(plans, False)}

![weak scaling](pictures/scaling_weak.png)

![strong scaling](pictures/scaling_strong.png)

A horizontal line is perfect scaling. Lines that overlap differ by a few percent at most; the tables have the numbers.

## The best layouts, weak scaling

{winners(plans)}

## Where each scheme stops being the best

Numbers of ranks (weak scaling) at which a family is within 1 % of the best sequence family:

{last_best(plans)}
"""
    ]
    for weak in (True, False):
        parts.append(f"## {'Weak' if weak else 'Strong'} scaling, samples a second\n")
        for length in FIELDS:
            for model in MODELS:
                parts.append(f"{model} parameters, {length} tokens:\n\n{scaling_table(model, length, plans, weak)}\n")
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2, help="planners at a time")
    parser.add_argument("--again", action="store_true", help="ask everything anew")
    arguments = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    if arguments.again:
        for old in FOLDER.glob("*.json"):
            old.unlink()
    with ThreadPoolExecutor(arguments.jobs) as pool:
        every = cases()
        plans = {}
        for i, (case, plan) in enumerate(zip(every, pool.map(planned, every), strict=True)):
            plans[case] = plan
            print(f"\r{i + 1} of {len(every)} plans", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    draw(plans)
    PAGE.write_text(page(plans))
    print(f"{PAGE.relative_to(ROOT)} and two pictures are written")


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as error:
        sys.exit(str(error))
