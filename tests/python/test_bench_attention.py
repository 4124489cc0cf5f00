"""`graticule bench attention` and `bench linear` refuse what they cannot time, in one line."""

import pytest

from command import graticule

MISTAKES = {
    "attention": (("attention", "--threads", 0), 1, "[bench attention] threads 0: choose 1 or more"),
    "attention over ranks": (("attention", "--scheme", "ring", "--threads", 0), 2, "[bench attention] threads 0"),
    "rows of a mesh": (
        ("attention", "--scheme", "mesh", "--mesh-rows", 3),
        2,
        "[bench attention] mesh_rows = 3 over context = 2 ranks: choose a divisor of 2 (1, 2)",
    ),
    "dtype": (("attention", "--dtype", "int8"), 1, '[bench attention] dtype "int8": choose bf16, fp16 or fp32'),
    "linear": (("linear", "--threads", 0), 1, "[bench linear] threads 0: choose 1 or more"),
    "size": (("linear", "--sizes", "4096x512"), 1, '[bench linear] size "4096x512": write rows x inner x columns'),
}


@pytest.mark.parametrize(("arguments", "ranks", "message"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_refused_once(arguments, ranks, message):
    result = graticule("bench", *arguments, ranks=ranks)
    assert result.returncode == 2, result.stderr
    assert result.stderr.count(message) == 1, result.stderr
