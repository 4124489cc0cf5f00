"""The cases of the scaling study, and the answers of planner and simulator to them.

The answers are kept in build/scaling, so a stopped run continues.
"""

import hashlib
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = ROOT / "build" / "release" / "graticule"
FOLDER = ROOT / "build" / "scaling"

CLUSTER = "frontier"
RANKS = (8, 32, 128, 512, 2048)
STRONG_BATCH = 64
RANKS_A_SAMPLE = 8
MODELS = {"100M": (768, 14, 12), "1B": (2048, 20, 16), "10B": (8192, 12, 32)}  # width, blocks, heads
FIELDS = {
    "188,416": "rows=128,columns=256,variables=23,times=480",
    "1,048,576": "rows=512,columns=512,variables=16,times=240",
}
ONE = {"parallel.tensor": 1, "parallel.pipeline": 1}
FAMILIES = {
    "ulysses": {"parallel.context": 1, **ONE},
    "lss": {"parallel.ulysses": 1, "parallel.context_method": "lss", **ONE},
    "ring": {"parallel.ulysses": 1, "parallel.context_method": "ring", **ONE},
    "ulysses x lss or ring": ONE,
    "all axes": {},
}
EVERYTHING = "all axes"
SIMULATED_RANKS = (8, 128, 2048)
PATIENCE_S = 150  # with one answer


@dataclass(frozen=True)
class Case:
    model: str
    tokens: str
    family: str
    ranks: int
    batch: int


def recipe_of(case: Case, settings: str = "") -> str:
    dim, depth, heads = MODELS[case.model]
    return f"""[data]
path = "synthetic:{FIELDS[case.tokens]}"
train = ["2001-01-01", "2001-02-10"]
batch = {case.batch}
[model]
tokens = "full"
patch = 2
dim = {dim}
depth = {depth}
heads = {heads}
[train]
precision = "bf16"
device = "cuda"
{settings}"""


def answer(recipe: str, *words: object, patience_s: int = PATIENCE_S) -> dict | None:
    """The JSON that the program prints; None if no layout fits or works, or if the answer takes too long."""
    key = hashlib.sha256("\n".join([recipe, *map(str, words)]).encode()).hexdigest()[:24]
    kept, path = FOLDER / f"{key}.json", FOLDER / f"{key}.toml"
    if not kept.exists():
        path.write_text(recipe)
        command, *rest = words
        call = [str(PROGRAM), command, str(path), *map(str, rest), "--json"]
        try:
            done = subprocess.run(call, capture_output=True, text=True, cwd=ROOT, timeout=patience_s)
        except subprocess.TimeoutExpired:
            kept.write_text(json.dumps({"refused": f"longer than {patience_s} s"}))
            return None
        if done.returncode not in (0, 2):
            raise RuntimeError(f"{' '.join(map(str, words))} with {path}\n{done.stderr}")
        kept.write_text(done.stdout if done.returncode == 0 else json.dumps({"refused": done.stderr}))
    result = json.loads(kept.read_text())
    return None if "refused" in result else result


def planned(case: Case) -> dict | None:
    fixed = [word for key, value in FAMILIES[case.family].items() for word in ("--set", f"{key}={value}")]
    found = answer(recipe_of(case), "plan", "--cluster", CLUSTER, "--ranks", case.ranks, *fixed)
    return found and found["best"][0]


def batch_of(ranks: int, weak: bool) -> int:
    return ranks // RANKS_A_SAMPLE if weak else STRONG_BATCH


def families_of(weak: bool) -> list[str]:
    return list(FAMILIES) if weak else [EVERYTHING]


def cases() -> list[Case]:
    every = []
    for model in MODELS:
        for tokens in FIELDS:
            for ranks in RANKS:
                weak = [Case(model, tokens, family, ranks, batch_of(ranks, True)) for family in families_of(True)]
                strong = [Case(model, tokens, family, ranks, batch_of(ranks, False)) for family in families_of(False)]
                every += weak + strong
    return list(dict.fromkeys(every))


def samples_per_second(case: Case, plan: dict | None) -> float:
    return case.batch / plan["step_s"] if plan else 0.0


def layout_words(plan: dict) -> list[str]:
    layout = {name: value for name, value in plan["layout"].items() if name != "activations"}
    words = [f"parallel.{name}={str(value).lower()}" for name, value in layout.items()]
    words.append(f"train.activations={plan['layout']['activations']}")
    return [word for setting in words for word in ("--set", setting)]


def simulated(case: Case, plan: dict, condition: tuple[str, ...] = ()) -> dict | None:
    words = ("simulate", "--cluster", CLUSTER, "--ranks", case.ranks, *layout_words(plan), *condition)
    return answer(recipe_of(case), *words)
