"""Tests Zarr stores with one array of all channels: of anemoi-datasets, StormCast and makani.

The store of anemoi-datasets is written with zarr as anemoi-datasets 0.5.47 does (create/gridded/creator.py,
create/dataset.py). That package itself needs an older zarr than the other tests; a store that it made was read and
compared when this test was written. StormCast's stores are written by xarray, as its authors did."""

import json
import shutil

import numpy as np
import pytest
import xarray as xr
import zarr

from channels import (
    ANEMOI,
    COUNT,
    LATITUDES,
    LONGITUDES,
    NAMES,
    OURS,
    anemoi,
    expect_equal,
    fields,
    info,
    recipe_of,
    refusal,
    stamps,
    statistics,
    usual,
)

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize(
    "options",
    [{}, {"chunks": (1, 8, 1, 21)}, {"chunks": (8, 3, 1, 50)}, {"columns_first": True}, {"form": 3}],
    ids=["usual", "cells-cut", "dates-together", "columns-first", "zarr-3"],
)
def test_anemoi(tmp_path, options):
    path = anemoi(tmp_path / "a.zarr", fields(), field_shape=[7, 12], **options)
    expect_equal(tmp_path, path, usual(tmp_path / "usual.zarr", fields()))
    assert info(path)["container"].endswith("anemoi-datasets")


def test_anemoi_missing_dates_members_and_constants(tmp_path):
    data, there = fields(), ~np.isin(np.arange(COUNT), (0, 5))
    data[:, 3] = data[0, 3]
    names = [*ANEMOI[:3], "lsm", *ANEMOI[4:]]
    ours = ["land_sea_mask" if name == "mean_sea_level_pressure" else name for name in OURS]
    missing = [str(stamps()[i]) for i in (0, 5)]
    broken = data.copy()
    broken[~there] = np.nan
    path = anemoi(tmp_path / "a.zarr", broken, names, members=3)
    attributes = json.loads((path / ".zattrs").read_text())
    (path / ".zattrs").write_text(json.dumps(attributes | {"missing_dates": missing, "constant_fields": ["lsm"]}))
    told = info(path)
    assert "2 of 40 times are left out" in told["notes"] and "member 0 of 3 is read" in told["notes"]
    assert [v["name"] for v in told["variables"] if v["constant"]] == ["land_sea_mask"]
    recipe = recipe_of(tmp_path, path, "member = 2")
    times = stamps()[there]
    want = statistics(usual(tmp_path / "usual.zarr", data[there] + np.float32(2), times, ours), variables=ours)
    got = statistics(path, "--recipe", recipe, variables=ours)
    varying = [name for name in ours if name != "land_sea_mask"]
    assert all(got["variables"][name] == want["variables"][name] for name in varying)
    assert "has 3 members: data.layout.member = 3" in refusal(path, "--recipe", recipe_of(tmp_path, path, "member = 3"))


def test_anemoi_names_by_the_parameter(tmp_path):
    names = ["temp", "2t", "t_137", *ANEMOI[3:]]
    about = {
        "temp": {"mars": {"param": "t", "levelist": 300, "levtype": "pl"}, "units": "K"},
        "t_137": {"mars": {"param": "t", "levelist": 137, "levtype": "ml"}},
    }
    told = info(anemoi(tmp_path / "a.zarr", fields(), names, variables_metadata=about))
    assert "temperature@300" in told["names"] and "temp" not in told["names"]
    assert {v["name"]: v["units"] for v in told["variables"]}["temperature@300"] == "K"
    assert "t_137" in told["names"] and "temperature@137" not in told["names"]


def test_anemoi_refuses_by_name(tmp_path):
    path = anemoi(tmp_path / "a.zarr", fields(), resolution="o96")

    def changed(change):
        copy = tmp_path / "copy.zarr"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(path, copy)
        change(zarr.open_group(copy, mode="a", zarr_format=2))
        return refusal(copy)

    def short_names(group):
        group.attrs["variables"] = ANEMOI[:-1]

    def twice(group):
        group.attrs["variables"] = ["2t", "t2m", *ANEMOI[2:]]

    def shorter(group):
        group["dates"].resize((COUNT - 1,))

    assert "is not finished" in changed(lambda group: group.create_group("_build"))
    assert "has 8 channels, but variable lists 7 names" in changed(short_names)
    assert "the channels 2t and t2m are both 2m_temperature" in changed(twice)
    assert "data has 40 times, but dates has 39" in changed(shorter)
    # A trajectory has one dimension more.
    group = zarr.open_group(tmp_path / "steps.zarr", mode="w", zarr_format=2)
    group.create_array("data", shape=(2, 8, 1, 3, 84), dtype="f4").attrs["_ARRAY_DIMENSIONS"] = list("tveSc")
    group.attrs["variables"] = ANEMOI
    assert "no trajectories" in refusal(tmp_path / "steps.zarr")


def stormcast(path, data, form, kind, names=NAMES):
    """The conditioning data of StormCast (ERA5); its other store, HRRR, has a curvilinear grid."""
    dims = ("time", "channel", "latitude", "longitude")
    coordinates = {"time": stamps(), "channel": np.array(names, kind), "latitude": LATITUDES, "longitude": LONGITUDES}
    xr.Dataset({"data": (dims, data)}, coordinates).to_zarr(path, zarr_format=form)
    return path


@pytest.mark.parametrize("form, kind", [(2, "U"), (2, "S"), (2, "O"), (3, "U"), (3, "O"), (3, "S")])
def test_stormcast(tmp_path, form, kind):
    path = stormcast(tmp_path / "a.zarr", fields(), form, kind)
    told = info(path)
    assert told["names"] == sorted(OURS)
    if (form, kind) in ((2, "U"), (3, "O")):
        expect_equal(tmp_path, path, usual(tmp_path / "usual.zarr", fields()))


def test_stormcast_hrrr_is_refused_once(tmp_path):
    dims = ("time", "channel", "y", "x")
    place = {
        name: (dims[2:], np.ones((7, 12)), {"units": f"degrees_{of}"})
        for name, of in (("latitude", "north"), ("longitude", "east"))
    }
    coordinates = {"time": stamps(), "channel": np.array(NAMES), **place}
    xr.Dataset({"HRRR": (dims, fields())}, coordinates).to_zarr(tmp_path / "a.zarr", zarr_format=2)
    message = refusal(tmp_path / "a.zarr")
    assert message.count("curvilinear") == 1 and "HRRR" in message


def test_makani_as_zarr(tmp_path):
    dims = ("timestamp", "channel", "lat", "lon")
    seconds = stamps().astype("datetime64[s]").astype("f8")
    coordinates = {"timestamp": seconds, "channel": np.array(NAMES), "lat": LATITUDES, "lon": LONGITUDES}
    xr.Dataset({"fields": (dims, fields())}, coordinates).to_zarr(tmp_path / "2000.zarr", zarr_format=2)
    expect_equal(tmp_path, tmp_path / "2000.zarr", usual(tmp_path / "usual.zarr", fields()))
