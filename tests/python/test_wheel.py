"""Tests the wheel: pip makes it, installs it into a folder of its own, and a program elsewhere imports it.

The operator library in it is that of the release build, put there by the tree's rules of installation: to compile it
again takes minutes (`pip install .` does)."""

import os
import subprocess
import sys
import zipfile

import pytest

from command import ROOT

AS_BUILT = """
cmake_minimum_required(VERSION 3.25)
project(as_built NONE)
add_custom_target(graticule_ops)
install(CODE [[execute_process(COMMAND ${CMAKE_COMMAND} --install BUILD --component package
  --prefix ${CMAKE_INSTALL_PREFIX} COMMAND_ERROR_IS_FATAL ANY)]] COMPONENT package)
"""
ATTEND = """
import pathlib, torch, graticule
from graticule.library import library_path
torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
q, k, v = torch.randn(3, 1, 37, 2, 16, generator=torch.Generator().manual_seed(7))
wanted = torch.nn.functional.scaled_dot_product_attention(*(x.transpose(1, 2) for x in (q, k, v))).transpose(1, 2)
torch.testing.assert_close(graticule.attention(q, k, v), wanted, rtol=1e-5, atol=1e-5)
print(pathlib.Path(graticule.__file__).parent, library_path().parent)
"""


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, **options)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    (folder / "CMakeLists.txt").write_text(AS_BUILT.replace("BUILD", str(ROOT / "build" / "release")))
    settings = [f"-Ccmake.source-dir={folder}", f"-Cbuild-dir={folder / 'build'}"]
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", *settings]
    run(*pip, "--wheel-dir", folder, ROOT)
    (made,) = folder.glob("*.whl")
    return made


def test_wheel_has_the_package_and_nothing_else(wheel):
    source = ROOT / "python"
    files = {path for path in source.rglob("*") if path.is_file() and path.suffix not in (".pyc", ".txt")}
    expected = {str(path.relative_to(source)) for path in files}
    expected |= {"graticule/libgraticule_ops.so", "graticule/libgraticule_ops.json"}
    with zipfile.ZipFile(wheel) as archive:
        assert {name for name in archive.namelist() if ".dist-info/" not in name} == expected
    assert wheel.name.startswith("graticule-") and "-py3-none-" in wheel.name


def test_installed_package_works_elsewhere(wheel, tmp_path):
    target, elsewhere = tmp_path / "target", tmp_path / "elsewhere"
    elsewhere.mkdir()
    run(sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", target, wheel)
    environment = {**os.environ, "PYTHONPATH": str(target), "OMP_NUM_THREADS": "1"}
    there = run(sys.executable, "-c", ATTEND, cwd=elsewhere, env=environment)
    assert there.split() == [str(target / "graticule")] * 2
    version = run(sys.executable, "-m", "graticule", "--version", cwd=elsewhere, env=environment)
    assert "built with PyTorch" in version
