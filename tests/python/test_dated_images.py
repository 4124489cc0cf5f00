"""Tests series of images whose dates are in the names of their files (data.date_pattern), against the same images as
one trajectory, and what is refused."""

import json

import numpy as np
import pytest
import rasterio
import xarray as xr

from command import graticule
from seed import seeded

pytestmark = pytest.mark.filterwarnings("ignore")
DAYS, ROWS, COLUMNS = 24, 11, 14
DATES = np.datetime64("2019-12-20") + np.arange(DAYS)


def film():
    """(day, band, row, column): waves that travel, with noise."""
    random, x = seeded(3), np.arange(COLUMNS) / COLUMNS
    day = np.arange(DAYS)[:, None, None, None]
    band = np.arange(2)[:, None, None]
    wave = np.sin(2 * np.pi * (x - day / 12) + band) + np.linspace(0, 1, ROWS)[:, None]
    return (100 + 10 * wave + random.normal(0, 0.2, wave.shape)).astype("f4")


def name_of(date):
    year, month, day = str(date).split("-")
    return f"tile{day}_{year}{month}{day}T103021_L2A.tif"


PATTERN = "tile*_%Y%m%dT%H%M%S_*.tif"


def write_scene(path, scene):
    kind = {"driver": "GTiff", "count": 2, "height": ROWS, "width": COLUMNS, "dtype": "float32"}
    with rasterio.open(path, "w", **kind) as file:
        file.write(scene)
        file.descriptions = ("red", "green")


def write_series(folder, names=None):
    """In the order of their names the days of the month come first, so the files are not in the order of time."""
    folder.mkdir()
    for name, scene in zip(names or map(name_of, DATES), film(), strict=False):
        write_scene(folder / name, scene)
    return folder


def recipe(folder, path, dates, **keys):
    lists = (
        {"lead_hours": 24, "train": ["2019-12-20", "2020-01-05"], "test": ["2020-01-06", "2020-01-12"]}
        if dates
        else {"lead_hours": 1, "train": ["0"], "test": ["0"], "allow_overlap": True}
    )
    data = {"path": str(path), "grid": "plane", "variables": ["red", "green"], "batch": 2, **lists, **keys}
    lines = [f"{key} = {json.dumps(value)}" for key, value in data.items()]
    model = "[model]\npatch = 4\ndim = 32\ndepth = 2\nheads = 2\n[train]\nsteps = 4\nwarmup = 1\nthreads = 1\n"
    out = folder / "recipe.toml"
    out.write_text("[data]\n" + "\n".join(lines) + f'\n{model}[run]\nout = "{folder}/run"\n')
    return out


def info(path, recipe):
    result = graticule("data", "info", path, "--recipe", recipe, "--json")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def refusal(path, recipe):
    result = graticule("data", "info", path, "--recipe", recipe)
    assert result.returncode == 2 and result.stderr.count("\n") == 1, (result.returncode, result.stderr)
    return result.stderr


def test_a_series_is_a_film_with_dates(tmp_path):
    series = write_series(tmp_path / "scenes")
    mine = recipe(tmp_path, series, True, date_pattern=PATTERN)
    told = info(series, mine)
    assert told["times"]["count"] == DAYS and told["times"]["step_seconds"] == 86400 and told["times"]["gaps"] == 0
    assert told["times"]["first"] == "2019-12-20T10:30:21", told["times"]
    for command in (
        ("train", mine),
        ("eval", tmp_path / "run"),
        ("forecast", tmp_path / "run", "--init", "2020-01-08T10:30:21", "--truth", tmp_path / "truth.nc"),
    ):
        result = graticule(*command)
        assert result.returncode == 0, result.stderr
    truth = xr.open_dataset(tmp_path / "truth.nc", decode_timedelta=True)
    assert truth["time"].values[0] == np.datetime64("2020-01-08T10:30:21")
    there = film()[list(DATES).index(np.datetime64("2020-01-09"))]
    assert np.array_equal(truth["red"].values[0, 0], there[0])

    # The same as one trajectory: persistence over one step has the same error, over the same days.
    np.save(tmp_path / "film.npy", film()[17:])
    other = tmp_path / "other"
    other.mkdir()
    layout = recipe(other, tmp_path / "film.npy", False, dimensions=["step", "channel", "row", "column"])
    layout.write_text(layout.read_text().replace("[model]", '[data.layout]\nnames = ["red", "green"]\n[model]'))
    scores = []
    for folder, run in ((tmp_path, mine), (other, layout)):
        if folder == other:
            assert graticule("train", run).returncode == 0
            assert graticule("eval", folder / "run").returncode == 0
        lines = json.loads((folder / "run" / "scores.json").read_text())["scores"]
        scores.append({line["variable"]: line["rmse"] for line in lines if line["forecast"] == "persistence"})
    assert scores[0] == pytest.approx(scores[1], rel=1e-6)


@pytest.mark.parametrize(
    "pattern, names, day",
    [
        ("%Y-%j.tif", ["2019-365.tif", "2020-001.tif", "2020-366.tif"], "2020-12-31T00:00:00"),
        ("%Y%m.tif", ["201912.tif", "202001.tif"], "2020-01-01T00:00:00"),
        ("y%Y/h%H/%m%d.tif", ["y2020/h06/0229.tif"], "2020-02-29T06:00:00"),
        ("(a+b)_%Y.tif", ["(a+b)_1999.tif"], "1999-01-01T00:00:00"),
    ],
)
def test_what_a_pattern_can_say(tmp_path, pattern, names, day):
    folder = tmp_path / "scenes"
    for name, scene in zip(names, film(), strict=False):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_scene(folder / name, scene)
    told = info(folder, recipe(tmp_path, folder, True, date_pattern=pattern))
    assert told["times"]["last"] == day and told["times"]["count"] == len(names)


@pytest.mark.parametrize(
    "pattern, names, words",
    [
        ("%Y%m%d.tif", ["20200101.tif", "cover.tif"], "the file cover.tif does not match"),
        ("%Y%m%d.tif", ["20200230.tif"], "finds 2020-02-30T00:00:00: rename the file"),
        ("%Y%j.tif", ["2019366.tif"], "finds day 366 of 2019"),
        ("%Y%j.tif", ["2019000.tif"], "finds day 000 of 2019"),
        ("%Y_*.tif", ["2020_a.tif", "2020_b.tif"], "2020_a.tif and 2020_b.tif have one date, 2020-01-01T00"),
        ("%m%d.tif", ["0101.tif"], "has no year"),
        ("%Y%d.tif", ["202001.tif"], "has a day that is neither"),
        ("%Y%Y.tif", ["20202020.tif"], "has %Y twice"),
        ("%Y%b.tif", ["2020Jan.tif"], "has %b: write the name"),
    ],
)
def test_names_and_patterns_are_refused(tmp_path, pattern, names, words):
    series = write_series(tmp_path / "scenes", names)
    assert words in refusal(series, recipe(tmp_path, series, True, date_pattern=pattern))


def test_a_date_is_that_of_one_image(tmp_path):
    folder = tmp_path / "films"
    folder.mkdir()
    for year in (2019, 2020):
        np.save(folder / f"{year}.npy", film()[:, 0])
    mine = recipe(tmp_path, folder, True, variables=["films"], date_pattern="%Y.npy")
    assert "gives a date to each of 2 files, but they hold 48 samples or steps" in refusal(folder, mine)
    for name, words in (("[data.split]\nvalid = 0.1\n", "data.split is for samples without dates"),):
        mine.write_text(mine.read_text().replace("[model]", name + "[model]"))
        assert words in refusal(folder, mine)
