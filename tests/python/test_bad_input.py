"""Tests that a user's mistake gives one clear message and exit code 2, on one rank and on several.
Nothing hangs."""

import re
import shutil

import pytest

from command import VARIABLES, graticule, write_recipe
from sources import read

MISTAKES = {
    "misspelt key": ([("dim = 32", "dimm = 32")], "unknown key model.dimm: did you mean model.dim?"),
    "wrong type": ([("steps = 4", 'steps = "four"')], "train.steps = 'four'"),
    "heads do not divide": ([("heads = 4", "heads = 5")], "choose heads from 1, 2, 4, 8, 16, 32"),
    "missing data": ([('"synthetic:rows=8,columns=12,variables=6,times=200"', '"nowhere.zarr"')], "nowhere.zarr"),
    "unknown variable": ([("batch = 2", 'batch = 2\nvariables = ["temperatur@850"]')], "temperatur@850"),
    "empty range": ([('"2001-01-01", "2001-02-04"', '"1999-01-01", "1999-02-04"')], "1999-01-01"),
    "test overlaps train": ([('test = ["2001-02-07"', 'test = ["2001-01-07"')], "share times"),
    "heads too narrow for place": ([("heads = 4", "heads = 8")], 'place = "aimed" with heads of width 4: it needs 6'),
    "patch above the grid": ([("dim = 32", "dim = 32\npatch = 9")], "choose at most 8"),
    "no folder for the state": (
        [("steps = 4", 'steps = 4\nstate_in = "/no/folder"')],
        '[state] train.state_in = "/no/folder": no such file or directory; name a folder that exists',
    ),
    "state in a file of a GPU": (
        [("steps = 4", 'steps = 4\nstate_in = "/tmp"\ndevice = "cuda"')],
        'train.state_in = "/tmp" with train.device = "cuda"',
    ),
    "layout": ([("[train]", "[parallel]\nulysses = 3\n[train]")], "3 ranks"),
}


@pytest.mark.parametrize("name", MISTAKES)
@pytest.mark.parametrize("ranks", [1, 2])
def test_mistake_in_recipe(name, ranks, tmp_path):
    replace, words = MISTAKES[name]
    result = graticule("train", write_recipe(tmp_path, replace=replace), ranks=ranks)
    assert result.returncode == 2, result.stderr
    assert result.stderr.count("graticule: [") == 1, result.stderr
    assert words in result.stderr
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_every_number_out_of_its_range(tmp_path):
    fields = read("graticule/recipe/recipe_fields.h")
    keys, section = [], None
    for call, name, value in re.findall(r'visitor\.(section|field)\("([\w.]+)"(?:, \w+, [\w.]+(, ))?', fields):
        section = name if call == "section" else section
        keys += [f"{section}.{name}"] if value and name != "seed" else []
    assert len(keys) > 35
    recipe = write_recipe(tmp_path)
    for key in keys:
        result = graticule("check", recipe, "--set", f"{key}=-1")
        assert result.returncode == 2, f"{key}: {result.stderr}"
        wanted = "one of" if key == "train.loss_weights" else "a"  # a rule or a table
        assert f"{key} = -1: it must be {wanted}" in result.stderr, result.stderr


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bad")
    recipe = write_recipe(folder, steps=1, replace=[("lead_hours = 24", "lead_hours = [6, 24]")])
    graticule("train", recipe, check=True)
    return folder / "run"


TIMES = ("--init", "2001-02-10", "--until")
MISTAKES_AFTER_TRAINING = {
    "lead to score": (("eval", "--lead", 12), "--lead 12: the model was trained for 6, 24 h"),
    "lead to forecast": (
        ("forecast", "--init", "2001-02-10", "--lead", 0),
        "--lead 0: the model was trained for 6, 24 h",
    ),
    "time between times": (
        ("forecast", *TIMES, "2001-02-11", "--every", 5),
        "nothing at the initial time 2001-02-10T05:00:00: the nearest time is 2001-02-10T06:00:00",
    ),
    "until before init": (("forecast", *TIMES, "2001-02-09", "--every", 6), "is empty: swap its ends"),
    "no hours between": (("forecast", *TIMES, "2001-02-11", "--every", 0), "--every 0: at least 1 hour"),
    "no truth at the end": (
        ("forecast", *TIMES, "2001-02-19", "--every", 6, "--lead", 24, "--truth", "no/truth.nc"),
        "--truth: the data have nothing at 2001-02-20T00:00:00",
    ),
}


@pytest.mark.parametrize("name", MISTAKES_AFTER_TRAINING)
@pytest.mark.parametrize("ranks", [1, 2])
def test_mistake_in_what_is_asked_of_a_model(name, ranks, trained):
    (command, *options), words = MISTAKES_AFTER_TRAINING[name]
    result = graticule(command, trained, *options, ranks=ranks)
    assert result.returncode == 2, result.stderr
    assert result.stderr.count("graticule: [") == 1 and words in result.stderr, result.stderr
    assert not list(trained.glob("*.nc*"))


def test_until_and_every_belong_together(trained):
    for options in ((*TIMES, "2001-02-11"), ("--init", "2001-02-10", "--every", 6)):
        result = graticule("forecast", trained, *options)
        assert result.returncode == 2 and "requires" in result.stderr, result.stderr


def test_a_lead_that_no_two_times_are_apart(tmp_path):
    result = graticule("train", write_recipe(tmp_path), "--set", "data.lead_hours=7")
    assert result.returncode == 2, result.stdout
    assert "no time there has data 7 hours later too" in result.stderr, result.stderr


def test_files_that_are_no_data(tmp_path):
    text = tmp_path / "text.nc"
    text.write_text("not a NetCDF file")
    (tmp_path / "empty").mkdir()
    for path, code in ((tmp_path / "absent.nc", 2), (text, None), (tmp_path / "empty", 2)):
        result = graticule("data", "info", path)
        assert result.returncode in ((code,) if code else (1, 2))
        assert str(path) in result.stderr and result.stderr.count("\n") <= 2


def test_no_file_for_the_recipe_and_no_command():
    assert graticule("train", "no-such.toml").returncode == 2
    assert graticule().returncode == 2
    assert graticule("trian").returncode == 2
    assert graticule("--help").returncode == 0


def test_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    recipe = write_recipe(tmp_path)
    result = graticule("train", recipe, "--set", f"run.out={tmp_path}/file/run", ranks=2)
    assert result.returncode == 2 and result.stderr.count("graticule: [run]") == 1


def test_disk_full_leaves_no_half_checkpoint(tmp_path):
    # A limit on the size of files simulates a full disk.
    recipe = write_recipe(tmp_path, steps=1)
    result = graticule("train", recipe, preexec_fn=limit_files)
    assert result.returncode == 1, result.stderr
    assert "graticule: [" in result.stderr
    assert not list((tmp_path / "run" / "checkpoints").glob("*"))


def test_disk_full_for_the_state_is_said_before_the_first_step(tmp_path):
    recipe = write_recipe(tmp_path, steps=1)
    result = graticule("train", recipe, "--set", f"train.state_in={tmp_path}", preexec_fn=limit_files)
    assert result.returncode == 1, result.stderr
    words = " needed for master weights, moments and averages of "
    assert f"[state] {tmp_path}: file too large" in result.stderr and words in result.stderr
    assert "name another train.state_in" in result.stderr
    assert not (tmp_path / "run" / "checkpoints").exists()


def limit_files():
    import resource
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))


def test_missing_values_are_named(tmp_path):
    xarray = pytest.importorskip("xarray")
    data = tmp_path / "data.nc"
    graticule("data", "synth", data, "--rows", 8, "--columns", 12, "--variables", 6, "--times", 200, check=True)
    with xarray.open_dataset(data) as opened:
        holed = opened.load()
    name = "mean_sea_level_pressure"
    holed[name][{"time": 10, "latitude": slice(0, 2), "longitude": 3}] = float("nan")
    holed.to_netcdf(tmp_path / "holed.nc")
    replace = [("synthetic:rows=8,columns=12,variables=6,times=200", f"{tmp_path}/holed.nc")]
    replace.append(("batch = 2", f"batch = 2\n{VARIABLES}"))
    recipe = write_recipe(tmp_path, steps=80, replace=replace)
    result = graticule("train", recipe, ranks=2)
    assert result.returncode == 2, result.stderr
    assert name in result.stderr and "2001-01-03T12" in result.stderr, result.stderr
    shutil.rmtree(tmp_path / "run")
    allowed = graticule("train", recipe, "--set", "data.missing=mean", "--set", "train.steps=2", ranks=2)
    assert allowed.returncode == 0, allowed.stderr
