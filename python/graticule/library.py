"""Where the operator library is, and what it was built with. This module does not load PyTorch."""

import json
import re
from pathlib import Path

_NAME = "libgraticule_ops.so"


def library_path() -> Path:
    """The path of the operator library: beside this file in an installed package, else the newest build of the tree."""
    here = Path(__file__).resolve().parent
    beside = here / _NAME
    if beside.exists():
        return beside
    builds = sorted((here.parents[1] / "build").glob(f"*/python/{_NAME}"), key=lambda path: path.stat().st_mtime)
    if not builds:
        raise ImportError(
            f"[graticule] {_NAME} is neither in {here} nor below {here.parents[1] / 'build'}: run `make build` in the "
            "tree, or install the package with `pip install .`"
        )
    return builds[-1]


def built_with() -> dict:
    """What the library was built with: "pytorch" (a release), "compiler", "instruction_sets" (a list)."""
    description = library_path().with_suffix(".json")
    if not description.exists():
        raise ImportError(f"[graticule] {description} is missing, which builds of today write: run `make build` again")
    return json.loads(description.read_text())


def check_release(version: str) -> None:
    """ImportError: the library was built with another release of PyTorch than `version`. Only its own fits in C++."""
    built = built_with()["pytorch"]
    if re.match(r"[\d.]*\d", version)[0] != built:
        raise ImportError(
            f"[graticule] {library_path()} was built with PyTorch {built}, and this is PyTorch {version}: in the tree "
            f"build it again (`pip install --force-reinstall --no-deps .` or `make build`), or install torch=={built}"
        )
