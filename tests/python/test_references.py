"""Tests references into other files: kerchunk's JSON and Icechunk repositories, written by these packages."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from command import ROOT, graticule
from sky import sky
from test_archives import equals
from test_axes import info, refusal

pytestmark = pytest.mark.filterwarnings("ignore")


def netcdf(path, **encoding):
    """The sky in a NetCDF-4 file that is shuffled, compressed and cut into chunks."""
    chunks = {"zlib": True, "shuffle": True, "chunksizes": (3, 5, 7)}
    sky().to_netcdf(path, encoding={"t2m": {**chunks, **encoding}, "msl": chunks})
    return path


def references(path, inline=100):
    from kerchunk.hdf import SingleHdf5ToZarr

    return SingleHdf5ToZarr(str(path), inline_threshold=inline).translate()


def write(path, refs):
    path.write_text(json.dumps(refs))
    return path


@pytest.mark.parametrize("inline", [0, 100, 100000])
def test_kerchunk_reads_as_its_own_package_does(tmp_path, inline):
    packed = {"dtype": "i2", "scale_factor": 0.01, "add_offset": 280.0, "_FillValue": np.int16(-9999)}
    refs = references(netcdf(tmp_path / "a.nc", **packed), inline)
    store = write(tmp_path / "a.json", refs)
    own = xr.open_dataset(
        "reference://", engine="zarr", backend_kwargs={"storage_options": {"fo": refs}, "consolidated": False}
    )
    equals(store, own)
    assert info(store)["names"] == info(tmp_path / "a.nc")["names"]
    equals(write(tmp_path / "b.json", refs["refs"]), own)  # version 0


def test_references_to_chunks_with_checksums(tmp_path):
    """kerchunk leaves such arrays out; VirtualiZarr names the codec. The NetCDF library puts the checksum innermost."""
    import h5py
    import numcodecs

    netcdf(tmp_path / "plain.nc")
    refs = references(tmp_path / "plain.nc")["refs"]
    netcdf(tmp_path / "a.nc", fletcher32=True)
    meta = json.loads(refs["t2m/.zarray"])
    filters = [numcodecs.Fletcher32(), numcodecs.Shuffle(4), numcodecs.Zlib(4)]
    refs["t2m/.zarray"] = json.dumps({**meta, "filters": [codec.get_config() for codec in filters], "compressor": None})
    with h5py.File(tmp_path / "a.nc") as file:
        array = file["t2m"]
        stored = array.id.get_create_plist()
        assert [stored.get_filter(i)[0] for i in range(3)] == [3, 2, 1]
        for i in range(array.id.get_num_chunks()):
            chunk = array.id.get_chunk_info(i)
            key = ".".join(str(at // size) for at, size in zip(chunk.chunk_offset, array.chunks, strict=True))
            refs[f"t2m/{key}"] = [str(tmp_path / "a.nc"), chunk.byte_offset, chunk.size]
    own = xr.open_dataset(
        "reference://", engine="zarr", backend_kwargs={"storage_options": {"fo": refs}, "consolidated": False}
    )
    assert np.array_equal(own.t2m.values, sky().t2m.values)
    equals(write(tmp_path / "a.json", {"version": 1, "refs": refs}), sky())


def test_kerchunk_joins_files(tmp_path):
    from kerchunk.combine import MultiZarrToZarr

    parts = []
    for i in range(2):
        sky().isel(time=slice(4 * i, 4 * i + 4)).to_netcdf(tmp_path / f"{i}.nc")
        parts.append(references(tmp_path / f"{i}.nc"))
    refs = MultiZarrToZarr(parts, concat_dims=["time"], coo_map={"time": "cf:time"}).translate()
    equals(write(tmp_path / "all.json", refs), sky())


def test_templates_and_relative_paths(tmp_path):
    refs = references(netcdf(tmp_path / "a.nc"))
    for key, value in refs["refs"].items():
        if isinstance(value, list):
            refs["refs"][key] = ["{{u}}/a.nc" if "t2m" in key else "a.nc", *value[1:]]
    refs["templates"] = {"u": f"file://{tmp_path}"}
    equals(write(tmp_path / "a.json", refs), sky())


def test_files_elsewhere_must_be_named(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "refs").mkdir()
    store = write(tmp_path / "refs" / "a.json", references(netcdf(tmp_path / "data" / "a.nc")))
    message = refusal(store)
    assert f"a.json points to {tmp_path}/data/a.nc" in message and f"a.json::{tmp_path}/data" in message
    equals(f"{store}::{tmp_path}/data", sky())
    equals(f"{store}::{tmp_path}/data/a.nc", sky())
    assert "outside" in refusal(f"{store}::{tmp_path}/dat")
    climbing = json.loads(store.read_text().replace(f"{tmp_path}/data", "../data"))
    assert "outside" in refusal(write(tmp_path / "refs" / "b.json", climbing))


def test_references_that_cannot_be_read(tmp_path):
    refs = references(netcdf(tmp_path / "a.nc"))
    store = write(tmp_path / "a.json", refs)
    assert "kerchunk" in refusal(write(tmp_path / "b.json", {"some": "settings"}))
    assert "generated" in refusal(write(tmp_path / "c.json", {**refs, "gen": [{"key": "x"}]}))
    whole = store.read_text()
    for name, text, words in (
        ("short.json", whole[:-9], "no JSON"),
        ("shape.json", json.dumps({"refs": {**refs["refs"], "t2m/0.0.0": [1, 2]}}), "t2m/0.0.0 is [1,2]"),
        ("beyond.json", whole.replace('"t2m/0.0.0": ["', '"t2m/0.0.0": ["').replace("t2m/1.", "t2m/9."), ""),
    ):
        (tmp_path / name).write_text(text)
        result = graticule("data", "stats", tmp_path / name)
        assert result.returncode == (1 if words else 0) and words in result.stderr, (name, result.stderr)
    cut = (tmp_path / "a.nc").read_bytes()
    (tmp_path / "a.nc").write_bytes(cut[: len(cut) // 2])
    result = graticule("data", "stats", store)
    assert result.returncode == 1 and "ends early" in result.stderr and result.stderr.count("\n") == 1, result.stderr
    (tmp_path / "a.nc").unlink()
    assert "a.nc, which does not exist" in refusal(store)


def test_parquet_is_refused_with_the_line_that_rewrites_it(tmp_path):
    from kerchunk.df import refs_to_dataframe

    refs_to_dataframe(references(netcdf(tmp_path / "a.nc")), str(tmp_path / "a.parquet"), record_size=10)
    message = refusal(tmp_path / "a.parquet")
    line = message.split('python3 -c "')[1].rstrip().removesuffix('"')
    subprocess.run([sys.executable, "-c", line], check=True)
    equals(tmp_path / "a.parquet.json", sky())


def repository(path, **options):
    import icechunk

    return icechunk.Repository.create(icechunk.local_filesystem_storage(str(path)), **options)


def commit(repo, write_it, message="more"):
    session = repo.writable_session("main")
    write_it(session.store)
    session.commit(message)


@pytest.mark.parametrize("inline", [0, 512, 60000])
def test_an_icechunk_repository_of_several_commits(tmp_path, inline):
    import icechunk

    config = icechunk.RepositoryConfig(inline_chunk_threshold_bytes=inline)
    repo = repository(tmp_path / "a", config=config)
    encoding = {"t2m": {"chunks": (1, 5, 7)}}
    first = sky().isel(time=slice(0, 5))
    commit(repo, lambda store: first.to_zarr(store, consolidated=False, encoding=encoding))
    commit(repo, lambda store: sky().isel(time=slice(5, 8)).to_zarr(store, consolidated=False, append_dim="time"))
    commit(repo, lambda store: sky().to_zarr(store, group="upper/air", consolidated=False))
    own = xr.open_zarr(repo.readonly_session("main").store, consolidated=False).load()
    equals(tmp_path / "a", own)
    equals(tmp_path / "a" / "upper" / "air", sky())
    assert "no group /upper/sea" in refusal(tmp_path / "a" / "upper" / "sea")


def test_an_icechunk_repository_of_format_2(tmp_path):
    """icechunk 2.3.0 wrote it on Python 3.12 (with spec_version=2) and reads the numbers below; the icechunk of Python
    3.11 writes format 1. Three commits, the second of which appends times; chunks inline and in files; a group."""
    shutil.unpack_archive(ROOT / "tests" / "data" / "icechunk2.zip", tmp_path / "a")
    dims, shape = ("time", "latitude", "longitude"), (8, 8, 12)
    counted = np.arange(8 * 8 * 12).reshape(shape)
    want = {"t2m": (dims, (200 + counted / 8).astype("f4")), "msl": (dims, (90000 + 16 * counted).astype("f4"))}
    equals(tmp_path / "a", xr.Dataset(want))
    equals(tmp_path / "a" / "upper" / "air", xr.Dataset(want).isel(time=slice(0, 2)))
    assert info(tmp_path / "a")["times"]["last"].startswith("2001-01-02T18")


def test_an_icechunk_repository_with_virtual_chunks(tmp_path):
    import icechunk
    import zarr

    raw = sky().t2m.values.astype("<f4")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "raw.bin").write_bytes(b"head" + raw.tobytes())
    config = icechunk.RepositoryConfig.default()
    place = f"file://{tmp_path}/data/"
    config.set_virtual_chunk_container(
        icechunk.VirtualChunkContainer(place, icechunk.local_filesystem_store(f"{tmp_path}/data"))
    )
    repo = repository(tmp_path / "a", config=config)

    def virtual(store):
        sky().to_zarr(store, consolidated=False)
        group = zarr.open_group(store, mode="a")
        del group["t2m"]
        group.create_array(
            "t2m",
            shape=raw.shape,
            chunks=(1, *raw.shape[1:]),
            dtype="f4",
            compressors=None,
            filters=None,
            dimension_names=["time", "latitude", "longitude"],
            attributes={"units": "K"},
        )
        size = raw[0].nbytes
        for i in range(len(raw)):
            store.set_virtual_ref(f"t2m/c/{i}/0/0", f"{place}raw.bin", offset=4 + i * size, length=size)

    commit(repo, virtual)
    assert "outside its folder" in refusal(tmp_path / "a")
    equals(f"{tmp_path}/a::{tmp_path}/data", sky())
    (tmp_path / "data" / "raw.bin").unlink()
    assert "does not exist" in refusal(f"{tmp_path}/a::{tmp_path}/data")


def test_icechunk_repositories_that_are_damaged(tmp_path):
    repo = repository(tmp_path / "a")
    commit(repo, lambda store: sky().to_zarr(store, consolidated=False))
    newest = max((tmp_path / "a" / "snapshots").iterdir(), key=lambda file: file.stat().st_mtime)
    whole = newest.read_bytes()
    for bad, words in (
        (whole[: len(whole) // 2], "damaged"),
        (b"x" + whole[1:], "no header"),
        (whole[:100] + bytes(20) + whole[120:], "damaged"),
    ):
        newest.write_bytes(bad)
        result = graticule("data", "stats", tmp_path / "a")
        assert result.returncode == 1 and result.stderr.count("\n") == 1, result.stderr
        assert words in result.stderr and newest.name in result.stderr, result.stderr
    newest.write_bytes(whole[:36] + b"\x09" + whole[37:])
    assert "format 9" in refusal(tmp_path / "a")
