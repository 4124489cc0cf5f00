"""Measures how accurate `graticule plan` is on this machine.

    bench/plan_accuracy.py times     predicted against measured step time, 20 recipes of 1 and 2 ranks
    bench/plan_accuracy.py choice    the planner's first choice against the fastest of all layouts of 2 and 4 ranks

Both commands calibrate first (`plan --calibrate`, once for each number of ranks) and print Markdown. `choice` times
every product of axes with each method of the context axis and the recipe's other settings. Then it times the first
choice and the two fastest layouts again, in turns, because of noise. Run it on a quiet machine.
"""

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = ROOT / "build" / "release" / "graticule"
MPIEXEC = ROOT / ".venv" / "bin" / "mpiexec"
FOLDER = ROOT / "build" / "plan_accuracy"
OF_TRAIN = ("precision", "activations")
TURNS = 2


def output_of(ranks: int, *words: object) -> str:
    command = [str(MPIEXEC), "-n", str(ranks)] if ranks > 1 else []
    command += [str(PROGRAM), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stderr}")
    return done.stdout


def cluster_of(ranks: int) -> Path:
    """The cluster file of this machine, calibrated with that many ranks."""
    path = FOLDER / f"here_{ranks}.toml"
    if not path.exists():
        output_of(ranks, "plan", "--calibrate", "--write", path)
    return path


def data_of(rows: int, columns: int, variables: int) -> Path:
    """A data file: computing synthetic values would take as long as a small step."""
    path = FOLDER / f"{rows}x{columns}x{variables}.zarr"
    if not path.exists():
        sizes = ("--rows", rows, "--columns", columns, "--variables", variables, "--times", 120)
        output_of(1, "data", "synth", path, *sizes)
    return path


def recipe_of(grid: tuple, batch: int, **model: object) -> str:
    sizes = "\n".join(f"{name} = {json.dumps(value)}" for name, value in model.items())
    return f"""[data]
path = "{data_of(*grid)}"
train = ["2001-01-01", "2001-01-25"]
batch = {batch}
[model]
{sizes}
[train]
steps = 10
warmup = 1
[run]
out = "{FOLDER / "run"}"
"""


def models() -> dict[str, str]:
    world, small, odd = (32, 64, 23), (16, 32, 23), (33, 63, 23)
    return {
        "2,944 tokens, width 128": recipe_of(world, 1, tokens="full", patch=4, dim=128, depth=4, heads=4),
        "736 tokens, width 96, 4 samples": recipe_of(small, 4, tokens="full", patch=4, dim=96, depth=4, heads=4),
        "512 tokens, width 512": recipe_of(world, 1, tokens="channels", patch=2, dim=512, depth=2, heads=8),
        "11,776 tokens, width 64": recipe_of(world, 1, tokens="full", patch=2, dim=64, depth=2, heads=2),
        "5,313 tokens, width 96, 3 heads": recipe_of(odd, 2, tokens="full", patch=3, dim=96, depth=3, heads=3),
        "512 tokens aggregated of 23 variables": recipe_of(
            small, 4, tokens="aggregated", patch=1, dim=96, depth=4, heads=4
        ),
    }


TIMES = [  # model, ranks, settings
    ("2,944 tokens, width 128", 1, ""),
    ("2,944 tokens, width 128", 1, "precision=bf16"),
    ("2,944 tokens, width 128", 1, "activations=recompute"),
    ("736 tokens, width 96, 4 samples", 1, ""),
    ("512 tokens, width 512", 1, ""),
    ("512 tokens, width 512", 1, "precision=bf16 activations=recompute_but_attention"),
    ("11,776 tokens, width 64", 1, ""),
    ("5,313 tokens, width 96, 3 heads", 1, ""),
    ("512 tokens aggregated of 23 variables", 1, ""),
    ("2,944 tokens, width 128", 2, "ulysses=2"),
    ("2,944 tokens, width 128", 2, "context=2"),
    ("2,944 tokens, width 128", 2, "context=2 context_method=ring"),
    ("2,944 tokens, width 128", 2, "tensor=2"),
    ("2,944 tokens, width 128", 2, "ulysses=2 head_groups=2 activations=recompute"),
    ("2,944 tokens, width 128", 2, "context=2 precision=bf16 activations=recompute_but_attention"),
    ("736 tokens, width 96, 4 samples", 2, "data=2"),
    ("736 tokens, width 96, 4 samples", 2, "pipeline=2 micro_batches=4"),
    ("736 tokens, width 96, 4 samples", 2, "pipeline=2 micro_batches=4 schedule=interleaved chunks=2"),
    ("512 tokens, width 512", 2, "ulysses=2 shard=full"),
    ("5,313 tokens, width 96, 3 heads", 2, "tensor=2"),
]

CHOICES = [  # model, settings
    ("2,944 tokens, width 128", ""),
    ("2,944 tokens, width 128", "precision=bf16"),
    ("2,944 tokens, width 128", "activations=recompute"),
    ("736 tokens, width 96, 4 samples", ""),
    ("736 tokens, width 96, 4 samples", "precision=bf16"),
    ("512 tokens, width 512", ""),
    ("512 tokens, width 512", "activations=recompute_but_attention"),
    ("512 tokens aggregated of 23 variables", ""),
    ("5,313 tokens, width 96, 3 heads", ""),
    ("11,776 tokens, width 64", ""),
]


def words_of(settings: str) -> list[str]:
    words = []
    for setting in settings.split():
        section = "train" if setting.split("=")[0] in OF_TRAIN else "parallel"
        words += ["--set", f"{section}.{setting}"]
    return words


def timed(recipe: Path, ranks: int, settings: str = "", repeats: int = 3) -> dict:
    words = ("--recipe", recipe, "--cluster", cluster_of(ranks), "--repeats", repeats, "--json", *words_of(settings))
    return json.loads(output_of(ranks, "bench", "step", *words))


def written(text: str) -> Path:
    path = FOLDER / "recipe.toml"
    path.write_text(text)
    return path


def times() -> None:
    recipes, errors = models(), []
    print("| recipe | ranks | settings | measured s | predicted s | predicted / measured |\n|---|---|---|---|---|---|")
    for model, ranks, settings in TIMES:
        result = timed(written(recipes[model]), ranks, settings)
        ratio = result["predicted_s"] / result["step_s"]
        errors.append(abs(ratio - 1))
        row = (model, ranks, settings, f"{result['step_s']:.3f}", f"{result['predicted_s']:.3f}", f"{ratio:.3f}")
        print("| " + " | ".join(map(str, row)) + " |", flush=True)
    print(f"\nerror: median {100 * statistics.median(errors):.1f} %, worst {100 * max(errors):.1f} %")


def layouts_of(ranks: int) -> list[str]:
    """Every product of axes, as settings."""
    axes = ("data", "context", "ulysses", "tensor", "pipeline")
    layouts = []
    for degrees in itertools.product(range(1, ranks + 1), repeat=len(axes)):
        product = 1
        for degree in degrees:
            product *= degree
        if product != ranks:
            continue
        layout = " ".join(f"{axis}={degree}" for axis, degree in zip(axes, degrees, strict=True))
        methods = ("lss", "ring") if degrees[1] > 1 else ("lss",)
        layouts += [f"{layout} context_method={method}" for method in methods]
    return layouts


def measured_layouts(recipe: Path, ranks: int, settings: str) -> dict[str, float]:
    seconds = {}
    for layout in layouts_of(ranks):
        try:
            seconds[layout] = timed(recipe, ranks, f"{layout} {settings}", 1)["step_s_min"]
        except RuntimeError as error:  # a layout that this recipe does not allow
            if "exit code" not in str(error) and "graticule: [" not in str(error):
                raise
    return seconds


def chosen(recipe: Path, ranks: int, settings: str) -> Path:
    path = FOLDER / "chosen.toml"
    output_of(1, "plan", recipe, "--cluster", cluster_of(ranks), "--ranks", ranks, "--write", path, *words_of(settings))
    return path


def short(parallel: dict) -> str:
    axes = [f"{axis} {parallel[axis]}" for axis in ("data", "context", "ulysses", "tensor", "pipeline")]
    return ", ".join(axis for axis in axes if not axis.endswith(" 1"))


def choice() -> None:
    recipes, ratios = models(), []
    print("| recipe | settings | ranks | choice | s | fastest layout | s | choice / fastest |\n" + "|---" * 8 + "|")
    for (model, settings), ranks in itertools.product(CHOICES, (2, 4)):
        recipe = written(recipes[model])
        seconds = measured_layouts(recipe, ranks, settings)
        plan = chosen(recipe, ranks, settings)
        best = sorted(seconds, key=seconds.get)[:2]
        again = {layout: [] for layout in best}
        mine = []
        for _ in range(TURNS):
            mine.append(timed(plan, ranks)["step_s_min"])
            for layout in best:
                again[layout].append(timed(recipe, ranks, f"{layout} {settings}")["step_s_min"])
        fastest = min(best, key=lambda layout: statistics.median(again[layout]))
        ours, theirs = statistics.median(mine), statistics.median(again[fastest])
        ratios.append(ours / theirs)
        names = (
            short(tomllib.loads(plan.read_text())["parallel"]),
            " ".join(w for w in fastest.split() if w[-2:] != "=1"),
        )
        row = (model, settings, ranks, names[0], f"{ours:.3f}", names[1], f"{theirs:.3f}", f"{ratios[-1]:.3f}")
        print("| " + " | ".join(map(str, row)) + " |", flush=True)
    print(f"\nchoice / fastest: median {statistics.median(ratios):.3f}, worst {max(ratios):.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["times", "choice"])
    parser.add_argument("--again", action="store_true", help="calibrate anew")
    arguments = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    if arguments.again:
        for old in FOLDER.glob("here_*.toml"):
            old.unlink()
    try:
        {"times": times, "choice": choice}[arguments.what]()
    except RuntimeError as error:
        sys.exit(str(error))
