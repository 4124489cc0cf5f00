"""Tests that metadata with impossible values end in one message of ours, not of a library, and ask for no memory.
tools/fuzz.sh looks for more of them."""

import json

import numpy as np
import pytest
import xarray as xr

from command import graticule
from sky import sky
from test_archives import zipped
from test_climax import shards

pytestmark = pytest.mark.filterwarnings("ignore")


def refused(path, *words):
    result = graticule("data", "stats", path)
    assert result.returncode in (1, 2) and result.stderr.count("\n") == 1, (path, result.returncode, result.stderr)
    for foreign in ("[library]", "[memory]", "exception"):
        assert foreign not in result.stderr, (path, result.stderr)
    for word in words:
        assert word in result.stderr, (path, result.stderr)


def change(file, *keys, value):
    content = json.loads(file.read_text())
    place = content
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    file.write_text(json.dumps(content))


FORMAT2 = {
    "a negative dimension": (("shape", 0), -8, "-8"),
    "a dimension of a text": (("shape", 0), "8", "t2m"),
    "a chunk of size 0": (("chunks", 0), 0, "size 0"),
    "filters that are texts": (("filters",), ["shuffle"], "t2m"),
    "an order of numbers": (("order",), 7, "t2m"),
}
FORMAT3 = {
    "a negative dimension": (("shape", 0), -8, "-8"),
    "bits of a fill value that are none": (("fill_value",), "0xyz", "0xyz"),
    "a data type that is a list": (("data_type",), [], "t2m"),
    "shards of too many chunks": (("chunk_grid", "configuration", "chunk_shape"), [2**40, 2**20, 12], "chunks"),
    "codecs that are numbers": (("codecs",), [1], "t2m"),
}


@pytest.mark.parametrize("form", [2, 3])
def test_arrays(tmp_path, form):
    for name, (keys, value, words) in (FORMAT2 if form == 2 else FORMAT3).items():
        store = tmp_path / name.replace(" ", "_")
        shards_of = {"t2m": {"shards": (4, 8, 12), "chunks": (1, 4, 6)}} if form == 3 else {}
        sky().to_zarr(store, zarr_format=form, consolidated=False, encoding=shards_of)
        change(store / "t2m" / (".zarray" if form == 2 else "zarr.json"), *keys, value=value)
        refused(store, words)


def test_a_coordinate_of_any_length(tmp_path):
    sky().to_zarr(tmp_path / "a", zarr_format=2, consolidated=False)
    for name in ("time", "t2m", "msl"):
        change(tmp_path / "a" / name / ".zarray", "shape", 0, value=2**60)
    refused(tmp_path / "a", "time", "values")


def test_an_origin_of_any_year(tmp_path):
    sky().to_zarr(tmp_path / "a", zarr_format=2, consolidated=False)
    for year in ("99999999999", "9223372036854775807", "-9223372036854775807"):
        change(tmp_path / "a" / "time" / ".zattrs", "units", value=f"hours since {year}-01-01")
        refused(tmp_path / "a", year)


def with_channels(store):
    """One array with an axis of two channels."""
    channels = xr.concat([sky().t2m, sky().msl], "channel").transpose("time", "channel", ...)
    channels = channels.assign_coords(channel=np.array(["u10m", "v10m"]))
    channels.to_dataset(name="fields").to_zarr(store, zarr_format=2, consolidated=False)


def test_channels_with_any_number_of_times(tmp_path):
    with_channels(tmp_path / "a")
    change(tmp_path / "a" / "fields" / ".zarray", "shape", 0, value=2**40)
    refused(tmp_path / "a", "has 1099511627776 along time, but time has")


def test_texts_of_any_width(tmp_path):
    with_channels(tmp_path / "a")
    for width in ("99999999999999999999", "9000000000000000000", "-4", "x", ""):
        change(tmp_path / "a" / "channel" / ".zarray", "dtype", value=f"<U{width}")
        refused(tmp_path / "a", "fields")


@pytest.mark.parametrize("text", ["[]", "7", '"group"', "[" * 100_000, '{"attributes": ' * 50_000])
def test_groups(tmp_path, text):
    sky().to_zarr(tmp_path / "a", zarr_format=3, consolidated=False)
    (tmp_path / "a" / "zarr.json").write_text(text)
    refused(tmp_path / "a", "zarr.json")


def test_consolidated_metadata_that_are_no_object(tmp_path):
    sky().to_zarr(tmp_path / "a", zarr_format=3)
    change(tmp_path / "a" / "zarr.json", "consolidated_metadata", "metadata", "t2m", value=3)
    refused(tmp_path / "a", "another type")


def test_references_beyond_any_file(tmp_path):
    sky().to_netcdf(tmp_path / "a.nc")
    store = {".zgroup": "{}", "t2m/.zarray": ["a.nc", 0, 2**62]}
    (tmp_path / "a.json").write_text(json.dumps(store))
    refused(tmp_path / "a.json", "a.nc ends early")


def test_members_of_archives_that_are_larger_than_the_archive(tmp_path):
    from pathlib import Path

    sky().to_zarr(tmp_path / "a.zarr", zarr_format=2, consolidated=False)
    path = zipped(tmp_path / "a.zip", {Path(""): tmp_path / "a.zarr"})
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02", content.index(b".zgroup") + 1)
    while not content[entry + 46 :].startswith(b".zgroup"):
        entry = content.index(b"PK\x01\x02", entry + 1)
    content[entry + 24 : entry + 28] = b"\xf0\xff\xff\xff"
    path.write_bytes(content)
    refused(path, ".zgroup")


@pytest.mark.parametrize("shape", ["(0, 1, 8, 12)", "(730, 1, 99999999999, 12)", "()"])
def test_shapes_of_npy(tmp_path, shape):
    shards(tmp_path / "a", [1979], 730)
    file = tmp_path / "a" / "lat.npy"
    file.write_bytes(file.read_bytes().replace(b"(8,), }", f"{shape}, }}".encode()))
    refused(tmp_path / "a")
