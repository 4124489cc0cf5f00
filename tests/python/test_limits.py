"""Tests the limits of CONTRIBUTING.md: file sizes, names and the like."""

import re

from sources import ROOT, code_of, files, read

EVERY_FOLDER = ["graticule", "cli", "python", "tests", "bench", "examples", "tools", "cmake", "recipes"]
EVERY_SUFFIX = (".h", ".cpp", ".py", ".sh", ".cmake", ".toml")
FORBIDDEN_NAMES = ["utils", "util", "common", "misc", "helpers", "helper", "manager"]


def source_files():
    return files(*EVERY_FOLDER, suffixes=EVERY_SUFFIX)


def line_limit(path) -> int:
    return {"tests": 500, "examples": 60}.get(path.parts[0], 400)


def test_files_are_short():
    lengths = {path: len(read(path).splitlines()) for path in source_files()}
    wrong = [f"{path}: {n} lines, {line_limit(path)} at most" for path, n in lengths.items() if n > line_limit(path)]
    assert not wrong, "\n".join(wrong)


def test_names_say_what_is_inside():
    wrong = [str(path) for path in source_files() if set(path.with_suffix("").parts) & set(FORBIDDEN_NAMES)]
    assert not wrong, f"no file or folder is named {', '.join(FORBIDDEN_NAMES)}: {wrong}"


def test_top_level_is_small():
    folders = [path for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")]
    built = {"build", "runs", "data"}
    assert len([path for path in folders if path.name not in built]) <= 13


def test_headers_are_guarded_once():
    headers = [path for path in files(*EVERY_FOLDER) if path.suffix == ".h"]
    assert headers
    wrong = [str(path) for path in headers if not re.search(r"^#pragma once$", read(path), re.MULTILINE)]
    assert not wrong, f"without #pragma once: {wrong}"


def test_nothing_is_owned_by_a_raw_pointer():
    pattern = re.compile(r"\bnew\s+[\w:(]|\bdelete\s*(\[\s*\])?\s+?[\w(*]|\bstd::(malloc|free)\b")
    wrong = []
    for path in files("graticule", "cli", "python", "tests", "bench"):
        for number, line in enumerate(code_of(path).splitlines(), start=1):
            if pattern.search(line):
                wrong.append(f"{path}:{number}: {line.strip()}")
    assert not wrong, "\n".join(wrong)


def test_no_promises_and_no_code_in_comments():
    promise = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    code = re.compile(r"^\s*//\s*(const |auto |if \(|for \(|return ).*[;{]\s*$")
    wrong = []
    for path in source_files():
        if path.name == "test_limits.py":
            continue
        for number, line in enumerate(read(path).splitlines(), start=1):
            if promise.search(line) or (path.suffix in (".h", ".cpp") and code.search(line)):
                wrong.append(f"{path}:{number}: {line.strip()}")
    assert not wrong, "\n".join(wrong)
