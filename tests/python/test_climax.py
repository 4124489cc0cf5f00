"""Tests ClimaX's shards, written by NumPy as its scripts do, against the arrays themselves."""

import json

import numpy as np
import pytest

from command import graticule
from sky import LATITUDES, LONGITUDES
from test_axes import info, mean, refusal


def shards(folder, years, count, save=np.savez):
    """`count` steps a year in three uneven shards; returns all values of 2m_temperature."""
    folder.mkdir(parents=True)
    random, everything = np.random.default_rng(5), []
    for year in years:
        values = random.normal(280, 9, (count, 1, len(LATITUDES), len(LONGITUDES))).astype("f4")
        for i, part in enumerate(np.split(values, [count // 3, count // 2])):
            extra = np.ones_like(part, dtype="f8")
            save(
                folder / f"{year}_{i}.npz",
                **{"2m_temperature": part, "land_sea_mask": extra, "geopotential_500": -part},
            )
        everything.append(values)
    np.save(folder / "lat.npy", LATITUDES)
    np.save(folder.parent / "lon.npy", LONGITUDES)
    return np.concatenate(everything)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_shards_are_read_as_one_data_set(tmp_path, save):
    values = shards(tmp_path / "a" / "train", [1979, 1980], 730, save)
    told = info(tmp_path / "a" / "train")
    assert told["names"] == ["2m_temperature", "geopotential_500", "land_sea_mask"]
    times = told["times"]
    assert (times["count"], times["step_seconds"]) == (1460, 12 * 3600), times
    assert times["first"].startswith("1979-01-01T00") and times["last"].startswith("1980-12-30T12"), times
    assert "hold no times" in told["notes"]
    for name, sign in (("2m_temperature", 1), ("geopotential_500", -1)):
        assert mean(tmp_path / "a" / "train", name) == pytest.approx(sign * float(values.mean(dtype="f8")), rel=1e-7)
    shards(tmp_path / "a" / "test", [1981], 730, save)
    assert info(tmp_path / "a")["times"]["count"] == 2190


def test_the_other_length_of_a_year(tmp_path):
    shards(tmp_path / "a", [1980], 8736 // 24)
    assert info(tmp_path / "a")["times"]["first"].startswith("1980-01-03T00")


def test_statistics_are_those_that_climax_writes_beside_its_shards(tmp_path):
    """normalize_mean.npz and normalize_std.npz (nc2np_equally_cdf.py): the moments of each year, joined."""
    values = shards(tmp_path / "a", [1979, 1980], 730).astype("f8").reshape(2, -1)
    mean, deviation = values.mean(axis=1), values.std(axis=1)
    np.savez(tmp_path / "a" / "normalize_mean.npz", **{"2m_temperature": [mean.mean()]})
    want = np.sqrt((deviation**2).mean() + (mean**2).mean() - mean.mean() ** 2)
    told = json.loads(graticule("data", "stats", tmp_path / "a", "--variables", "2m_temperature", check=True).stdout)
    told = told["variables"]["2m_temperature"]
    assert told["mean"] == pytest.approx(mean.mean(), rel=1e-7)
    assert told["deviation"] == pytest.approx(want, rel=1e-7)


def test_shards_that_cannot_be_read(tmp_path):
    shards(tmp_path / "a", [1979], 730)
    (tmp_path / "a" / "1979_1.npz").rename(tmp_path / "kept")
    assert "lacks 1979_1.npz" in refusal(tmp_path / "a")
    (tmp_path / "kept").rename(tmp_path / "a" / "1979_1.npz")
    shards(tmp_path / "b", [1979], 100)
    assert "hold 100 steps" in refusal(tmp_path / "b")
    shards(tmp_path / "c", [1979], 730)
    (tmp_path / "c" / "lat.npy").unlink()
    assert "no lat.npy" in refusal(tmp_path / "c")
