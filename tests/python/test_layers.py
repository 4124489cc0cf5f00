"""Who may include whom. A room of graticule/ sees the rooms below it and nothing else (docs/architecture.md)."""

import re
from pathlib import Path

from sources import code_of, files, read

HEART = ["core", "comm", "attention", "parallel", "model"]
MAY_INCLUDE = {
    "core": [],
    "comm": ["core"],
    "attention": ["core", "comm"],
    "parallel": ["core", "comm"],
    "model": ["core", "attention", "parallel"],
    "data": ["core"],
    "train": [*HEART, "data"],
    "plan": ["core"],
    "cli": [*HEART, "data", "train", "plan"],
    "python": [*HEART, "data", "train", "plan"],
}
# Files with an arrow of their own: the tensor axis cuts the linear layer, and the executor runs the weight gradients
# that it deferred; the planner reads the recipe and counts by the model's own formulas, the pipeline's own schedules
# and training's own verdict on layouts (all plain values), and a kernel's scratch by that kernel's own count; its dry
# run drives the real program, and traces say what that program did on a dry world.
EXCEPTIONS = {
    "parallel": ["graticule/attention/kernel/linear.h"],
    "plan": [
        "graticule/model/shape.h",
        "graticule/parallel/schedule.h",
        "graticule/train/options.h",
        "graticule/train/layout.h",
        "graticule/train/toml_text.h",
    ],
    "plan/cpu_scratch": [
        "graticule/attention/kernel/flash_cpu.h",
        "graticule/attention/kernel/matrix_product.h",
        "graticule/attention/kernel/stand_in.h",
    ],
    "plan/attention_memory": ["graticule/attention/kernel/flash_aten.h"],
    "plan/layer_memory": ["graticule/attention/kernel/flash_tiles.h"],
    "plan/meta_kernels": ["graticule/attention/kernel/stand_in.h"],
    "plan/step_trace": ["graticule/comm/dry.h"],
    "plan/exchange_flows": ["graticule/comm/dry.h"],
    "plan/world_traces": ["graticule/comm/dry.h", "graticule/train/build.h", "graticule/train/layout.h"],
    "plan/dry_run": [
        "graticule/attention/kernel/stand_in.h",
        "graticule/comm/dry.h",
        "graticule/comm/group.h",
        "graticule/comm/mesh.h",
        "graticule/train/build.h",
        "graticule/train/memory.h",
        "graticule/train/step.h",
    ],
}
# Where a library's headers may be seen. The heart knows LibTorch (and comm the MPI) alone.
LIBRARIES = {
    r"mpi\.h": ["comm"],
    r"nccl|ProcessGroupNCCL": ["comm"],
    r"gdal|ogr|cpl_": ["data", "train"],
    r"blosc|zstd|zlib|netcdf\.h|netcdf_|hdf5": ["data"],
    r"nlohmann/": ["data", "train", "plan", "cli"],
    r"toml\+\+/": ["train", "plan"],
    r"spdlog/|fmt/": ["train", "plan", "cli"],
    r"CLI/": ["cli"],
    r"simgrid/": ["plan"],
    r"ATen/|torch/|c10/": ["comm", "attention", "parallel", "model", "data", "train", "plan", "cli", "python"],
}
AXIS_SPEAKERS = ["core/axes", "comm/mesh", "train/build"]
ENVIRONMENT_READERS = ["comm/launch"]


def room(path: Path) -> str:
    return path.parts[1] if path.parts[0] == "graticule" else path.parts[0]


def unit(path: Path) -> str:
    """`graticule/comm/mesh.cpp` -> `comm/mesh`."""
    return str(path.with_suffix("")).removeprefix("graticule/")


def library_files() -> list[Path]:
    return [path for path in files("graticule", "cli", "python") if path.name != "graticule.h"]


def includes(path: Path) -> list[str]:
    return re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', read(path), re.MULTILINE)


def test_rooms_include_only_rooms_below_them():
    wrong = []
    for path in library_files():
        allowed = [room(path), *MAY_INCLUDE[room(path)]]
        exceptions = EXCEPTIONS.get(room(path), []) + EXCEPTIONS.get(unit(path), [])
        for header in includes(path):
            ours = header.startswith(("graticule/", "cli/", "python/"))
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


def test_axes_are_named_in_three_places():
    speakers = {unit(path) for path in library_files() if re.search(r"\bAxis::", code_of(path))}
    assert speakers <= set(AXIS_SPEAKERS), f"only {AXIS_SPEAKERS} name an axis: {speakers}"


def test_one_file_reads_the_environment():
    readers = {unit(path) for path in library_files() if re.search(r"\b(secure_)?getenv\b|\benviron\b", code_of(path))}
    assert readers <= set(ENVIRONMENT_READERS), f"only {ENVIRONMENT_READERS} may read the environment: {readers}"
