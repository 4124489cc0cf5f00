"""Tests the package: what it says of itself, and what it says where PyTorch is missing or another one."""

import json
import os
import shutil
import subprocess
import sys
import venv

import pytest

import graticule
from command import ENVIRONMENT, ROOT
from graticule import library


def python(*arguments):
    environment = {**ENVIRONMENT, "PYTHONPATH": str(ROOT / "python")}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=60, env=environment)


def test_version_tells_what_was_built_in():
    done = python("-m", "graticule", "--version")
    built = library.built_with()
    assert done.returncode == 0 and built["pytorch"].count(".") == 2
    assert f"built with PyTorch {built['pytorch']} by {built['compiler']}" in done.stdout
    assert all(name in done.stdout for name in built["instruction_sets"])


def test_another_release_of_pytorch_is_refused():
    library.check_release(library.built_with()["pytorch"] + "+cu130")
    with pytest.raises(ImportError, match=r"was built with PyTorch .*, and this is PyTorch 2\.10\.1"):
        library.check_release("2.10.1+cpu")


def test_of_several_builds_that_for_this_pytorch_is_taken(tmp_path, monkeypatch):
    release = library.built_with()["pytorch"]
    monkeypatch.setattr(library, "__file__", str(tmp_path / "python/graticule/library.py"))
    for name, pytorch in (("cuda", "9.9.9"), ("asan", release), ("release", release), ("old", None)):
        file = tmp_path / "build" / name / "python" / "libgraticule_ops.so"
        file.parent.mkdir(parents=True)
        file.touch()
        os.utime(file, (1, 1) if name == "release" else None)
        if pytorch:
            file.with_suffix(".json").write_text(json.dumps({"pytorch": pytorch}))
    assert library.library_path() == tmp_path / "build/release/python/libgraticule_ops.so"
    shutil.rmtree(tmp_path / "build/release")
    assert library.library_path() == tmp_path / "build/asan/python/libgraticule_ops.so"


def test_without_pytorch_the_message_names_the_one_to_install():
    program = "import sys; sys.modules['torch'] = None; import graticule; graticule.attention"
    done = python("-c", program)
    release = library.built_with()["pytorch"]
    assert done.stderr.splitlines()[-1] == (
        f"ImportError: [graticule] PyTorch is not installed: `pip install torch=={release}`"
    )


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match=r"it offers .*attention, "):
        _ = graticule.atention


@pytest.mark.parametrize(
    ("version", "message"), [(None, "has no PyTorch to build against"), ("2.10.0+cpu", "PyTorch 2.10.0+cpu is too old")]
)
def test_a_build_without_a_fitting_pytorch_says_so(tmp_path, version, message):
    venv.create(tmp_path / "venv")
    interpreter = tmp_path / "venv" / "bin" / "python"
    if version:
        asked = [interpreter, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
        packages = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
        (ROOT / packages / "torch.py").write_text(
            f"__version__ = '{version}'\nclass utils: cmake_prefix_path = '/nowhere'\nclass version: cuda = None\n"
        )
    options = ["-DSKBUILD=2", f"-DPython_EXECUTABLE={interpreter}", "-DGRATICULE_MPI=OFF", "-DGRATICULE_DATA=OFF"]
    configure = ["cmake", "-G", "Ninja", "-S", str(ROOT), "-B", str(tmp_path / "build"), *options]
    done = subprocess.run(configure, capture_output=True, text=True, timeout=120)
    assert done.returncode != 0 and message in " ".join(done.stderr.split()), done.stderr
