"""Writes the valid data sets that tools/fuzz.sh damages: one folder for each parser of bytes.

    make_seeds.py FOLDER

The packages of the formats write them, as in tests/python. FOLDER.list gets a line for each: its folder, the name
to open, and the grid. (Icechunk prints messages among what a program prints.)
"""

import json
import pathlib
import sys
import zipfile

import icechunk
import nibabel
import numcodecs
import numcodecs.zarr3 as named
import numpy as np
import tifffile
import xarray as xr
import zarr
from kerchunk.hdf import SingleHdf5ToZarr

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "python"))
from sky import LATITUDES, LONGITUDES, sky

FOLDER = pathlib.Path(sys.argv[1])
DIMENSIONS = ["time", "latitude", "longitude"]
FORMAT2 = {
    "shuffled": ([numcodecs.Shuffle(4)], numcodecs.Zlib(1)),
    "scaled": ([numcodecs.FixedScaleOffset(280, 5, "<f4", "<i2"), numcodecs.Delta("<i2")], numcodecs.LZ4()),
    "rounded": ([numcodecs.Quantize(2, "<f4")], numcodecs.LZMA()),
    "packed": ([], numcodecs.BZ2(1)),
    "plain": ([], None),
}
FORMAT3 = {
    "shuffled": ([], [named.Shuffle(elementsize=4), named.Zlib(level=1)]),
    "scaled": ([named.FixedScaleOffset(offset=280, scale=5, dtype="<f4", astype="<i2")], [named.LZ4()]),
    "checked": ([], [zarr.codecs.ZstdCodec(), zarr.codecs.Crc32cCodec()]),
    "plain": ([], []),
}
# Texts of any length, of fixed width in code points, and in bytes.
TEXTS = {"channel": (object, ["u10m", "v10m"]), "variable": ("U", ["z500", "z850"]), "channels": ("S", ["sp", "tcwv"])}


def add(path, name, filters, compressors, form):
    data = sky(2)
    array = zarr.create_array(
        path,
        name=name,
        shape=data.t2m.shape,
        chunks=(2, 5, 12),
        dtype="<f4",
        filters=filters,
        compressors=compressors,
        zarr_format=form,
        dimension_names=DIMENSIONS if form == 3 else None,
        attributes={"units": "K", **({} if form == 3 else {"_ARRAY_DIMENSIONS": DIMENSIONS})},
    )
    array[:] = data.t2m.values


def zarr_store(path, form, consolidated=False):
    """Every codec and filter, a shard, and arrays of channels with names."""
    shards = {"t2m": {"shards": (2, 8, 12), "chunks": (1, 4, 6)}} if form == 3 else {}
    sky(2).to_zarr(path, zarr_format=form, consolidated=False, encoding=shards)
    for name, (filters, compressors) in (FORMAT3 if form == 3 else FORMAT2).items():
        add(path, name, filters, compressors, form)
    for dimension, (dtype, labels) in TEXTS.items():
        channels = xr.concat([sky(2).t2m, sky(2).msl], dimension).transpose("time", dimension, ...)
        channels[dimension] = np.array(labels, dtype=dtype)
        data = channels.to_dataset(name=f"of_{dimension}")
        data.to_zarr(path, mode="a", zarr_format=form, consolidated=False)
    if consolidated:
        zarr.consolidate_metadata(str(path))


def npz(folder, save):
    folder.mkdir(parents=True)
    values = np.random.default_rng(5).normal(280, 9, (4, 1, len(LATITUDES), len(LONGITUDES))).astype("f4")
    for i in range(2):
        save(
            folder / f"1979_{i}.npz", **{"2m_temperature": values[2 * i : 2 * i + 2], "land_sea_mask": values[:2] > 280}
        )
    np.save(folder / "lat.npy", LATITUDES)
    np.save(folder / "lon.npy", LONGITUDES.astype(">f8"))


def archive(path):
    """A store of which some members are deflated."""
    path.parent.mkdir()
    store = path.parent / "store"
    sky(2).to_zarr(store, zarr_format=2)
    with zipfile.ZipFile(path, "w") as out:
        for i, file in enumerate(sorted(p for p in store.rglob("*") if p.is_file())):
            out.write(file, file.relative_to(store), (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)[i % 2])
            file.unlink()


def references(path):
    path.parent.mkdir()
    encoding = {name: {"zlib": True, "shuffle": True, "chunksizes": (1, 5, 7)} for name in ("t2m", "msl")}
    sky(2).to_netcdf(path.with_suffix(".nc"), encoding=encoding)
    refs = SingleHdf5ToZarr(str(path.with_suffix(".nc")), inline_threshold=100).translate()
    text = json.dumps({**refs, "templates": {"u": str(path.parent)}})
    path.write_text(text.replace(f'"{path.parent}/', '"{{u}}/').replace(f'"{{{{u}}}}/{path.stem}', f'"{path.stem}', 1))


def repository(path, unpacked):
    """Icechunk. Unpacked, so that damage meets the tables and not the decompressor of the files."""
    config = icechunk.RepositoryConfig(inline_chunk_threshold_bytes=100)
    repo = icechunk.Repository.create(icechunk.local_filesystem_storage(str(path)), config=config)
    session = repo.writable_session("main")
    sky(2).to_zarr(session.store, consolidated=False, encoding={"t2m": {"chunks": (1, 5, 7)}})
    session.commit("all")
    for file in [file for folder in ("snapshots", "manifests") for file in (path / folder).iterdir() if unpacked]:
        content = file.read_bytes()
        file.write_bytes(content[:38] + b"\0" + numcodecs.Zstd().decode(content[39:]))


def images(folder):
    """Small files of images, one parser a folder."""
    stack = (100 + 20 * np.random.default_rng(6).normal(size=(2, 3, 4, 5))).astype("u2")
    for name in ("npy", "nifti", "nifti_packed", "ome_tiff", "tiff"):
        (folder / name).mkdir()
    for i in range(2):
        np.save(folder / "npy" / f"{i}.npy", stack[i].astype(">f4"))
        volume = nibabel.Nifti1Image(stack[i].astype("f4"), np.diag([1.5, 2, 3, 1]))
        nibabel.save(volume, folder / "nifti" / f"{i}.nii")
        nibabel.save(volume, folder / "nifti_packed" / f"{i}.nii.gz")
    metadata = {"axes": "CZYX", "Channel": {"Name": ["nuclei", "membrane"]}}
    tifffile.imwrite(folder / "ome_tiff" / "a.ome.tif", stack, ome=True, metadata=metadata)
    tifffile.imwrite(folder / "tiff" / "a.tif", stack[0], photometric="minisblack")


def ome_zarr(path, form):
    group = zarr.open_group(path, mode="w", zarr_format=form)
    data = np.arange(2 * 3 * 4 * 5, dtype="u2").reshape(2, 3, 4, 5)
    keys = {} if form == 2 else {"dimension_names": list("czyx")}
    group.create_array("0", shape=data.shape, chunks=(1, 2, 3, 3), dtype="u2", **keys)[:] = data
    axes = [{"name": name, "type": "channel" if name == "c" else "space"} for name in "czyx"]
    scale = [{"type": "scale", "scale": [1.0, 2.0, 0.5, 0.5]}]
    version = "0.4" if form == 2 else "0.5"
    levels = [{"path": "0", "coordinateTransformations": scale}]
    ome = {"multiscales": [{"version": version, "axes": axes, "datasets": levels}]}
    ome["omero"] = {"channels": [{"label": "DAPI"}, {"label": "GFP"}]}
    group.attrs.update(ome if form == 2 else {"ome": {"version": version, **ome}})


def netcdf_classic(folder):
    for number, name in {1: "NETCDF3_CLASSIC", 5: "NETCDF3_64BIT_DATA"}.items():
        (folder / f"netcdf_classic{number}").mkdir()
        path = folder / f"netcdf_classic{number}" / "a.nc"
        sky(2).to_netcdf(path, format=name, engine="netcdf4", unlimited_dims=["time"])


def main():
    zarr_store(FOLDER / "zarr2", 2)
    zarr_store(FOLDER / "zarr2_consolidated", 2, consolidated=True)
    zarr_store(FOLDER / "zarr3", 3)
    npz(FOLDER / "npz", np.savez)
    npz(FOLDER / "npz_deflated", np.savez_compressed)
    archive(FOLDER / "zip" / "a.zip")
    references(FOLDER / "references" / "a.json")
    repository(FOLDER / "icechunk", unpacked=False)
    repository(FOLDER / "icechunk_unpacked", unpacked=True)
    images(FOLDER)
    ome_zarr(FOLDER / "ome_zarr2", 2)
    ome_zarr(FOLDER / "ome_zarr3", 3)
    netcdf_classic(FOLDER)
    names = {"zip": "a.zip", "references": "a.json"}
    grids = {"npy": "volume", "nifti": "volume", "nifti_packed": "volume", "ome_tiff": "volume", "tiff": "volume"}
    grids |= {"ome_zarr2": "volume", "ome_zarr3": "volume"}
    lines = [
        f"{folder} {names.get(folder.name, '.')} {grids.get(folder.name, 'sphere')}\n"
        for folder in sorted(FOLDER.iterdir())
    ]
    FOLDER.with_suffix(".list").write_text("".join(lines))


if __name__ == "__main__":
    main()
