"""Tests train.on_bad on a data set of which one field is spoiled after its statistics were taken."""

import json
import shutil

import pytest

from command import VARIABLES, graticule, write_recipe

SPOILED = 17  # index of the time: 2001-01-05T06
TIME = "2001-01-05T06:00:00"
STEPS = 70  # about one epoch, so each sample is read once


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A run of 20 steps on sound data, whose file was then spoiled."""
    xarray = pytest.importorskip("xarray")
    folder = tmp_path_factory.mktemp("begun")
    size = ("--rows", 8, "--columns", 12, "--variables", 6, "--times", 200)
    graticule("data", "synth", folder / "a.nc", *size, check=True)
    replace = [("synthetic:rows=8,columns=12,variables=6,times=200", str(folder / "a.nc"))]
    replace += [("batch = 2", f"batch = 2\n{VARIABLES}"), ('out = "', 'checkpoint_every = 10\nkeep = 99\nout = "')]
    recipe = write_recipe(folder, steps=STEPS, replace=replace)
    graticule("train", recipe, "--set", "train.steps=1", check=True)
    with xarray.open_dataset(folder / "a.nc") as opened:
        data = opened.load()
    data["2m_temperature"][{"time": SPOILED, "latitude": 3, "longitude": 4}] = 3e30
    data.to_netcdf(folder / "a.nc")
    return recipe


@pytest.fixture
def train(begun, tmp_path):
    shutil.copytree(begun.parent / "run", tmp_path / "run")

    def start(*changes, ranks=1, resume="auto"):
        settings = [part for change in (f"run.out={tmp_path / 'run'}", *changes) for part in ("--set", change)]
        return graticule("train", begun, "--resume", resume, *settings, ranks=ranks)

    start.run = tmp_path / "run"
    return start


def lines_of(run, kind):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if line.get("kind") == kind]


def losses_of(run):
    return [(line["step"], line["loss"]) for line in map(json.loads, open(run / "metrics.jsonl")) if "loss" in line]


@pytest.mark.parametrize("ranks", [1, 2])
def test_stop_names_the_value_and_keeps_the_run(train, ranks):
    result = train(ranks=ranks)
    assert result.returncode == 1 and result.stderr.count("graticule: [train]") == 1, result.stderr
    for words in ("2m_temperature, ", TIME, "deviations large", "train.on_bad", "nothing was updated", "--resume auto"):
        assert words in result.stderr, result.stderr


def test_skip_passes_over_the_samples_and_resumes_alike(train):
    whole = train('train.on_bad="skip"')
    assert whole.returncode == 0, whole.stderr
    skipped = lines_of(train.run, "skipped")
    assert 1 <= len(skipped) <= 2, skipped  # the field is read by one sample, and to be predicted by another
    assert all("2m_temperature, " in line["origin"] and TIME in line["origin"] for line in skipped)
    assert "its samples are passed over" in whole.stdout
    losses = losses_of(train.run)
    assert [step for step, _ in losses] == list(range(1, STEPS + 1))
    # From a checkpoint before the bad samples, the same samples are skipped, and each loss has the same bits.
    saved = [int(path.name[5:]) for path in (train.run / "checkpoints").glob("step-*")]
    before = max(step for step in saved if step < skipped[0]["step"])
    fresh = train.run.parent / "fresh"
    again = train('train.on_bad="skip"', f"run.out={fresh}", resume=train.run / "checkpoints" / f"step-{before}")
    assert again.returncode == 0, again.stderr
    assert len(lines_of(fresh, "skipped")) == len(skipped) and losses_of(fresh) == losses[before:]


def test_rewind_goes_back_and_on_with_later_samples(train):
    result = train('train.on_bad="rewind"', ranks=2)
    assert result.returncode == 0, result.stderr
    rewound = lines_of(train.run, "rewound")
    assert 1 <= len(rewound) <= 2 and "goes back to" in result.stdout
    assert [step for step, _ in losses_of(train.run)] == list(range(1, STEPS + 1))
    assert (train.run / "checkpoints" / f"step-{STEPS}").is_dir()


def test_rewind_without_a_checkpoint_says_so(begun, tmp_path):
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    shutil.copy(begun.parent / "run" / "statistics.json", fresh)
    changes = ("--set", f"run.out={fresh}", "--set", "run.checkpoint_every=0", "--set", 'train.on_bad="rewind"')
    result = graticule("train", begun, *changes)
    assert result.returncode == 1 and "set run.checkpoint_every" in result.stderr, result.stderr


def test_a_run_may_be_verified_as_it_goes(tmp_path):
    recipe = write_recipe(tmp_path, steps=4)
    result = graticule("train", recipe, "--set", "train.verify_every=1", ranks=2)
    assert result.returncode == 0, result.stderr
    plain = graticule("train", recipe, "--set", f"run.out={tmp_path / 'plain'}", ranks=2, check=True)
    assert plain.returncode == 0
    assert losses_of(tmp_path / "run") == losses_of(tmp_path / "plain")  # looking changes nothing
