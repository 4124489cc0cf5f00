"""Where the operator library is, and what it was built with. This module does not load PyTorch."""

import json
import re
from importlib import metadata
from pathlib import Path

_NAME = "libgraticule_ops.so"


def library_path() -> Path:
    """The path of the operator library: beside this file in an installed package, else that of a build in the tree."""
    here = Path(__file__).resolve().parent
    beside = here / _NAME
    if beside.exists():
        return beside
    builds = list((here.parents[1] / "build").glob(f"*/python/{_NAME}"))
    if not builds:
        raise ImportError(
            f"[graticule] {_NAME} is neither in {here} nor below {here.parents[1] / 'build'}: run `make build` in the "
            "tree, or install the package with `pip install .`"
        )
    return max(builds, key=_preference)


def _preference(path: Path) -> tuple:
    """A build for the PyTorch that is installed comes first, then build/release (others may have sanitizers), then the
    newest. So `make cuda`, whose PyTorch is another one, changes nothing here."""
    try:
        built, ours = _described(path)["pytorch"], _release(metadata.version("torch"))
    except (ImportError, metadata.PackageNotFoundError):
        return False, path.parts[-3] == "release", path.stat().st_mtime
    return built == ours, path.parts[-3] == "release", path.stat().st_mtime


def built_with() -> dict:
    """What the library was built with: "pytorch" (a release), "compiler", "instruction_sets" (a list)."""
    return _described(library_path())


def _described(path: Path) -> dict:
    description = path.with_suffix(".json")
    if not description.exists():
        raise ImportError(f"[graticule] {description} is missing, which builds of today write: run `make build` again")
    return json.loads(description.read_text())


def _release(version: str) -> str:
    return re.match(r"[\d.]*\d", version)[0]


def check_release(version: str) -> None:
    """ImportError: the library was built with another release of PyTorch than `version`. Only its own fits in C++."""
    built = built_with()["pytorch"]
    if _release(version) != built:
        raise ImportError(
            f"[graticule] {library_path()} was built with PyTorch {built}, and this is PyTorch {version}: in the tree "
            f"build it again (`pip install --force-reinstall --no-deps .` or `make build`), or install torch=={built}"
        )
