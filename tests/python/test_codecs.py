"""Tests the filters, compressors and dates of Zarr as numcodecs and zarr write them, against their own reading."""

import json

import numcodecs
import numcodecs.zarr3 as named
import numpy as np
import pytest
import xarray as xr
import zarr

from command import graticule
from sky import sky
from test_axes import info, refusal

pytestmark = pytest.mark.filterwarnings("ignore")

# name: (type, filters), of format 2
FILTERS = {
    "shuffle": ("<f4", [numcodecs.Shuffle(4)]),
    "delta": ("<f4", [numcodecs.Delta("<f4")]),
    "delta_of_other_order": (">f8", [numcodecs.Delta(">f8", "<f4"), numcodecs.Shuffle(4)]),
    "scaled_to_bytes": ("<f4", [numcodecs.FixedScaleOffset(280, 5, "<f4", "i1")]),
    "scaled_to_wider": ("<f4", [numcodecs.FixedScaleOffset(2.5, 1000, "<f4", ">i8"), numcodecs.Delta(">i8", "<i4")]),
    "quantize": ("<f4", [numcodecs.Quantize(2, "<f4")]),
    "quantize_to_narrow": ("<f8", [numcodecs.Quantize(2, "<f8", "<f4")]),
    "bitround": ("<f4", [numcodecs.BitRound(10), numcodecs.Shuffle(4)]),
    "astype": ("<f4", [numcodecs.AsType("<f8", "<f4")]),
}
COMPRESSORS = {
    "bz2": numcodecs.BZ2(1),
    "lzma": numcodecs.LZMA(),
    "lzma_alone": numcodecs.LZMA(format=2),
    "lz4": numcodecs.LZ4(),
    "zlib": numcodecs.Zlib(1),
    "none": None,
}
# name: (filters, compressors), of format 3
NAMED = {
    "shuffle": ([], [named.Shuffle(elementsize=4), named.Zlib(level=1)]),
    "delta": ([named.Delta(dtype="<f4")], [named.Zstd()]),
    "scaled": ([named.FixedScaleOffset(offset=280, scale=5, dtype="<f4", astype="<i2")], [named.Zlib()]),
    "quantize": ([named.Quantize(digits=2, dtype="<f4")], [named.BZ2()]),
    "lzma": ([], [named.LZMA()]),
    "lz4": ([], [named.LZ4()]),
    "fletcher32": ([], [named.Fletcher32(), named.Zlib()]),
}
DIMENSIONS = ["time", "latitude", "longitude"]


def add(path, name, dtype="<f4", **encoding):
    """One array, in chunks that do not divide it."""
    data = sky()
    axes = {"_ARRAY_DIMENSIONS": DIMENSIONS} if encoding.get("zarr_format") == 2 else {}
    if not axes:
        encoding["dimension_names"] = DIMENSIONS
    array = zarr.create_array(
        path,
        name=name,
        shape=data.t2m.shape,
        chunks=(3, 5, 7),
        dtype=dtype,
        attributes={"units": "K", **axes},
        **encoding,
    )
    array[:] = data.t2m.values.astype(dtype)


def agrees(path, names):
    """Every array has the mean and deviation that the package reads."""
    own = xr.open_zarr(path, consolidated=False).load()
    result = graticule("data", "stats", path)
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)["variables"]
    for name in names:
        values = own[name].values.astype("f8")
        assert told[name]["mean"] == pytest.approx(values.mean(), rel=1e-7), name
        assert told[name]["deviation"] == pytest.approx(values.std(), rel=1e-4), name


@pytest.mark.parametrize("order", ["C", "F"])
def test_filters_and_compressors_of_format_2(tmp_path, order):
    sky().drop_vars(["t2m", "msl"]).to_zarr(tmp_path / "a", zarr_format=2, consolidated=False)
    common = {"zarr_format": 2, "order": order, "fill_value": None}
    for name, (dtype, filters) in FILTERS.items():
        add(tmp_path / "a", name, dtype, filters=filters, compressors=COMPRESSORS["zlib"], **common)
    for name, compressor in COMPRESSORS.items():
        add(tmp_path / "a", name, filters=[numcodecs.Shuffle(4)], compressors=compressor, **common)
    agrees(tmp_path / "a", [*FILTERS, *COMPRESSORS])


def test_codecs_of_format_3_by_their_names_in_numcodecs(tmp_path):
    sky().drop_vars(["t2m", "msl"]).to_zarr(tmp_path / "a", consolidated=False)
    for name, (filters, compressors) in NAMED.items():
        add(tmp_path / "a", name, filters=filters, compressors=compressors)
    big = zarr.codecs.BytesCodec(endian="big")
    add(tmp_path / "a", "big", serializer=big, compressors=[named.Shuffle(elementsize=4)])
    agrees(tmp_path / "a", [*NAMED, "big"])


@pytest.mark.parametrize(("form", "unit"), [(2, "h"), (2, "ns"), (3, "s"), (3, "ms")])
def test_times_as_dates_of_numpy(tmp_path, form, unit):
    sky().drop_vars("time").to_zarr(tmp_path / "a", zarr_format=form, consolidated=False)
    dates = sky().time.values.astype(f"M8[{unit}]")
    axes = {"dimension_names": ["time"]} if form == 3 else {"attributes": {"_ARRAY_DIMENSIONS": ["time"]}}
    array = zarr.create_array(
        tmp_path / "a", name="time", shape=8, chunks=5, dtype=dates.dtype, zarr_format=form, **axes
    )
    array[:] = dates
    told = info(tmp_path / "a")["times"]
    assert told["count"] == 8 and told["first"].startswith("2001-01-01T00"), told
    array[3] = np.datetime64("NaT")
    assert "time has no value at index 3" in refusal(tmp_path / "a")


def test_codecs_that_cannot_be_read(tmp_path):
    path = tmp_path / "a"
    sky().drop_vars(["t2m", "msl"]).to_zarr(path, zarr_format=2, consolidated=False)
    add(path, "t2m", zarr_format=2, filters=[numcodecs.Shuffle(4)], compressors=numcodecs.LZ4(), fill_value=None)
    file, chunk = path / "t2m" / ".zarray", path / "t2m" / "0.0.0"
    whole = json.loads(file.read_text())

    def expect(change, code, words):
        file.write_text(json.dumps({**whole, **change}))
        result = graticule("data", "stats", path)
        assert result.returncode == code and words in result.stderr, (change, result.returncode, result.stderr)
        assert "a/t2m" in result.stderr and result.stderr.count("\n") == 1, result.stderr

    expect({"filters": [{"id": "imagecodecs_lzf"}]}, 2, "imagecodecs_lzf")
    expect({"compressor": {"id": "lzma", "format": 3}}, 2, "raw format")
    expect({"filters": [{"id": "delta", "dtype": "<f2"}]}, 2, "<f2")
    expect({"filters": [{"id": "fixedscaleoffset", "dtype": "<f4", "scale": 0, "offset": 1}]}, 1, "no finite scale")
    expect({"filters": [{"id": "shuffle", "elementsize": 0}]}, 1, "elements of 0 bytes")
    for codec in (numcodecs.BZ2(), numcodecs.LZMA(), numcodecs.LZ4()):
        chunk.write_bytes(bytes(codec.encode(np.zeros(105, "f4")))[:-8])
        expect({"filters": None, "compressor": codec.get_config()}, 1, "0.0.0")


# name: (type, filters, mark), where reading gets another number than the mark. Each filter: its name and settings.
CHANGED_MARKS = {
    "bitround": ("f4", [("BitRound", {"keepbits": 9})], 1e20),
    "bitround_to_infinity": ("f4", [("BitRound", {"keepbits": 9})], 3.4028235e38),
    "bitround_of_few_digits": ("f4", [("BitRound", {"keepbits": 9})], -9999.0),
    "astype": ("f8", [("AsType", {"encode_dtype": "<f4", "decode_dtype": "<f8"})], -9999.9),
    "quantize": ("f4", [("Quantize", {"digits": 1, "dtype": "<f4"})], -9999.37),
    "quantize_to_narrow": ("f8", [("Quantize", {"digits": 1, "dtype": "<f8", "astype": "<f4"})], -9999.37),
    "scaled": ("f8", [("FixedScaleOffset", {"offset": 280, "scale": 5, "dtype": "<f8", "astype": "<i4"})], -9999.9),
    "scaled_beyond": ("f4", [("FixedScaleOffset", {"offset": 280, "scale": 5, "dtype": "<f4", "astype": "<i4"})], 1e20),
    "scaled_nan": ("f4", [("FixedScaleOffset", {"offset": 280, "scale": 5, "dtype": "<f4", "astype": "<i8"})], np.nan),
    "two": (
        "f8",
        [("AsType", {"encode_dtype": "<f4", "decode_dtype": "<f8"}), ("BitRound", {"keepbits": 9})],
        -1234567.8,
    ),
}
# zarr 3.1.6 does not see that numcodecs.quantize changes the type.
NAMED_ALIKE = [name for name in CHANGED_MARKS if name != "quantize_to_narrow"]


# xarray itself takes these for numbers: findings/bitround_rounds_the_fill_value.sh.
@pytest.mark.parametrize(("form", "name"), [(2, name) for name in CHANGED_MARKS] + [(3, name) for name in NAMED_ALIKE])
def test_a_mark_of_missing_values_that_filters_change_is_missing(tmp_path, form, name):
    dtype, filters, mark = CHANGED_MARKS[name]
    data = sky()[["t2m"]].astype(dtype)
    hole = data.t2m.values > data.t2m.values.mean()
    data["t2m"] = data.t2m.where(~hole)
    package = numcodecs if form == 2 else named
    filters = [getattr(package, kind)(**settings) for kind, settings in filters]
    encoding = {"filters": filters, "_FillValue": np.dtype(dtype).type(mark)}
    data.to_zarr(tmp_path / "store.zarr", zarr_format=form, encoding={"t2m": encoding}, consolidated=False)
    read = xr.open_zarr(tmp_path / "store.zarr", consolidated=False).t2m.values
    assert not np.isnan(read[hole]).any(), "xarray tells this mark"
    told = json.loads(graticule("data", "stats", tmp_path / "store.zarr").stdout)["variables"]["2m_temperature"]
    assert told["missing"] == hole.sum()
    assert told["mean"] == pytest.approx(read[~hole].astype("f8").mean(), rel=1e-6)
    assert "cannot store" not in info(tmp_path / "store.zarr")["notes"]


@pytest.mark.parametrize("form", [2, 3])
def test_a_mark_that_a_filter_cannot_store_is_told(tmp_path, form):
    package = numcodecs if form == 2 else named
    scaled = package.FixedScaleOffset(offset=280, scale=5, dtype="<f4", astype="<i2")
    sky().to_zarr(tmp_path / "a", zarr_format=form, encoding={"t2m": {"filters": [scaled]}}, consolidated=False)
    notes = info(tmp_path / "a")["notes"]
    assert "a/t2m marks missing values with nan, which its filters cannot store" in notes and "msl" not in notes


def test_checksums_of_hdf5(tmp_path):
    """numcodecs writes them as HDF5 does; references to HDF5 have this codec (VirtualiZarr)."""
    path = tmp_path / "a"
    sky().drop_vars(["t2m", "msl"]).to_zarr(path, zarr_format=2, consolidated=False)
    common = {"zarr_format": 2, "fill_value": None}
    before = [numcodecs.Fletcher32(), numcodecs.Shuffle(4)]  # as the NetCDF library orders them
    add(path, "before", filters=before, compressors=numcodecs.Zlib(), **common)
    after = [numcodecs.Shuffle(4), numcodecs.Zlib(), numcodecs.Fletcher32()]
    add(path, "after", filters=after, compressors=None, **common)
    add(path, "odd", "<i1", filters=[numcodecs.Fletcher32()], compressors=None, **common)
    agrees(path, ["before", "after", "odd"])
    chunk = path / "odd" / "0.0.0"
    chunk.write_bytes(b"\x7f" + chunk.read_bytes()[1:])
    result = graticule("data", "stats", path)
    assert result.returncode == 1 and "odd/0.0.0 is damaged" in result.stderr and "checksum" in result.stderr


def test_shards_in_shards_are_refused(tmp_path):
    path = tmp_path / "a"
    sky().drop_vars(["t2m", "msl"]).to_zarr(path, consolidated=False)
    inner = zarr.codecs.ShardingCodec(chunk_shape=(1, 4, 6))
    outer = zarr.codecs.ShardingCodec(chunk_shape=(2, 8, 12), codecs=[inner])
    array = zarr.create_array(
        path,
        name="t2m",
        shape=(8, 8, 12),
        chunks=(4, 8, 12),
        dtype="f4",
        serializer=outer,
        compressors=None,
        dimension_names=DIMENSIONS,
    )
    array[:] = sky().t2m.values
    assert "shards in shards" in refusal(path)


@pytest.mark.parametrize("form", [2, 3])
def test_complex_numbers_and_booleans(tmp_path, form):
    """xarray itself takes False for missing where it is the fill value of format 2."""
    path = tmp_path / "a"
    data = sky()
    data["spectrum"] = data.t2m.astype("c8")
    data.to_zarr(path, zarr_format=form, consolidated=False)
    add(path, "warm", "bool", zarr_format=form, fill_value=False)
    warm = zarr.open_group(path)["warm"]
    warm[:] = data.t2m.values > 280
    told = json.loads(graticule("data", "stats", path).stdout)["variables"]
    assert told["warm"]["missing"] == 0
    assert told["warm"]["mean"] == pytest.approx((data.t2m.values > 280).mean())
    assert "spectrum holds no real numbers" in info(path)["notes"]
