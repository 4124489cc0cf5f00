"""Reads a budget: the TOML file that says how large the experiment is (budgets/)."""

import os
import tomllib

import program

FOLDER = "tools/climate/budgets"
NEEDED = {
    "data": ("kind", "path", "train", "valid", "test"),
    "search": ("lr", "samples", "dates"),
    "scores": ("dates", "fields_from", "fields_until", "fields_every"),
    "regression": ("stride", "penalties"),
}
NEEDED_OF_STUDY = ("name", "recipe", "set", "samples", "seeds", "arms")


def names():
    return sorted(name.removesuffix(".toml") for name in os.listdir(FOLDER))


def file_of(name):
    """The file of a budget: of a name in budgets/, or the path itself."""
    return name if name.endswith(".toml") else f"{FOLDER}/{name}.toml"


def load(path):
    """The tables of the file; FailedError if it is no TOML or lacks a required key."""
    with open(path, "rb") as file:
        try:
            budget = tomllib.load(file)
        except tomllib.TOMLDecodeError as error:
            raise program.FailedError(f"{path}: {error}") from None
    wanted = [("", key, budget) for key in ("page", *NEEDED, "study")]
    wanted += [(f"[{part}] ", key, budget.get(part, {})) for part, keys in NEEDED.items() for key in keys]
    studies = budget.get("study", [])
    wanted += [(f"[[study]] {i + 1} ", key, study) for i, study in enumerate(studies) for key in NEEDED_OF_STUDY]
    wanted += [(f"[[study]] {i + 1} ", "title", study) for i, study in enumerate(studies) if i > 0]
    missing = [where + key for where, key, table in wanted if key not in table]
    if missing:
        raise program.FailedError(f"{path} lacks {', '.join(missing)}: see the budgets of {FOLDER}")
    return budget
