"""Tests the includes: a room of graticule/ includes only the rooms below it (docs/architecture.md)."""

import re
from pathlib import Path

from sources import code_of, files, read

HEART = ["core", "comm", "kernel", "attention", "parallel", "model"]
LIBRARY = [*HEART, "data", "recipe", "train", "footprint", "plan", "dry", "simulate"]
MAY_INCLUDE = {
    "core": [],
    "comm": ["core"],
    "kernel": ["core"],
    "attention": ["core", "comm", "kernel"],
    "parallel": ["core", "comm", "kernel"],
    "model": ["core", "kernel", "attention", "parallel"],
    "data": ["core"],
    "recipe": ["core"],
    "train": [*HEART, "data", "recipe"],
    "footprint": ["core", "recipe", "kernel"],
    "plan": ["core", "recipe", "footprint"],
    "dry": [*HEART, "data", "recipe", "train", "footprint", "plan"],
    "simulate": ["core", "comm", "recipe", "plan", "dry"],
    "cli": LIBRARY,
    "bench": [*LIBRARY, "cli"],
    "python": HEART,
}
# main registers every command, also those of bench.
EXCEPTIONS = {"cli/main": ["bench/bench.h", "bench/calibrate.h"]}
# The folders that may include a library's headers. HEART includes only LibTorch, and comm also MPI.
LIBRARIES = {
    r"mpi\.h": ["comm"],
    r"nccl|ProcessGroupNCCL": ["comm"],
    r"gdal|ogr|cpl_": ["data"],
    r"blosc|zstd|zlib|minizip|bzlib|lz4|lzma|netcdf\.h|netcdf_|hdf5": ["data"],
    r"nlohmann/": ["data", "train", "simulate", "cli", "bench"],
    r"toml\+\+/": ["recipe", "plan"],
    r"fmt/": ["recipe", "train", "plan", "dry", "simulate", "cli", "bench"],
    r"CLI/": ["cli", "bench"],
    r"simgrid/": ["simulate"],
    r"ATen/|torch/|c10/": [*HEART[1:], "data", "train", "footprint", "dry", "bench"],
}
ENVIRONMENT_READERS = ["comm/launch"]


def room(path: Path) -> str:
    return path.parts[1] if path.parts[0] == "graticule" else path.parts[0]


def unit(path: Path) -> str:
    """`graticule/comm/mesh.cpp` -> `comm/mesh`."""
    return str(path.with_suffix("")).removeprefix("graticule/")


def library_files() -> list[Path]:
    return [path for path in files("graticule", "cli", "bench", "python") if path.name != "graticule.h"]


def includes(path: Path) -> list[str]:
    return re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', read(path), re.MULTILINE)


def test_rooms_include_only_rooms_below_them():
    wrong = []
    for path in library_files():
        allowed = [room(path), *MAY_INCLUDE[room(path)]]
        exceptions = EXCEPTIONS.get(room(path), []) + EXCEPTIONS.get(unit(path), [])
        for header in includes(path):
            ours = header.startswith(("graticule/", "cli/", "bench/", "python/"))
            if ours and header not in exceptions and room(Path(header)) not in allowed:
                wrong.append(f"{path} includes {header}: {room(path)} may include {', '.join(allowed)}")
    assert not wrong, "\n".join(wrong)


def test_libraries_stay_in_their_rooms():
    wrong = []
    for path in library_files():
        for header in includes(path):
            for pattern, rooms in LIBRARIES.items():
                if re.match(pattern, header) and room(path) not in rooms:
                    wrong.append(f"{path} includes <{header}>: only {', '.join(rooms)} may")
    assert not wrong, "\n".join(wrong)


def test_one_file_reads_the_environment():
    readers = {unit(path) for path in library_files() if re.search(r"\b(secure_)?getenv\b|\benviron\b", code_of(path))}
    assert readers <= set(ENVIRONMENT_READERS), f"only {ENVIRONMENT_READERS} may read the environment: {readers}"
