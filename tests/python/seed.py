"""The seed of random data in tests: fixed, or moved by the environment variable that the tests in C++ take too."""

import os

import numpy as np

SEED = int(os.environ.get("GTEST_RANDOM_SEED", "0"))


def seeded(number: int) -> np.random.Generator:
    """Random numbers of their own for each `number`."""
    return np.random.default_rng(number + SEED)
