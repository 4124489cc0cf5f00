"""python -m graticule: report and watch runs, and --version."""

import importlib.metadata
import platform
import sys
from pathlib import Path

import graticule
from graticule import library

USAGE = """usage: python -m graticule report RUN [RUN...]   write one HTML page about runs
       python -m graticule watch RUN             show the page of a run while it trains
       python -m graticule --version             tell the versions
'report --help' and 'watch --help' list their options."""
PACKAGES = ["torch", "numpy", "xarray", "plotly", "safetensors"]


def version_of(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def about_library():
    """What the operator library was built with, or why it is of no use."""
    torch = version_of("torch")
    try:
        built = library.built_with()
        if torch != "not installed":
            library.check_release(torch)
    except ImportError as error:
        return f"none to use. {error}"
    sets = ", ".join(built["instruction_sets"]) or "no instruction set of its own"
    return f"built with PyTorch {built['pytorch']} by {built['compiler']}; CPU: {sets}; GPU: by PyTorch's kernels"


def main(argv):
    if argv == ["--version"]:
        print(f"graticule {graticule.__version__} in {Path(__file__).parent}")
        print(f"operator library: {about_library()}")
        print(f"Python {platform.python_version()}, " + ", ".join(f"{name} {version_of(name)}" for name in PACKAGES))
        return 0
    if argv[:1] == ["report"]:
        from graticule import report

        return report.main(argv[1:])
    if argv[:1] == ["watch"]:
        from graticule import watch

        return watch.main(argv[1:])
    asked = argv[:1] in (["--help"], ["-h"])
    print(USAGE, file=sys.stdout if asked else sys.stderr)
    return 0 if asked else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
