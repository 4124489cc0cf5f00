"""Writes one small data set in many file layouts, for source_test.cpp.

    make_cases.py ASIDE FOLDER

The script writes to ASIDE and then renames it to FOLDER, so several tests may call it at the same time. cases.json
lists the layouts: {"name", "path", "tolerance"}. truth.bin is the tensor that each layout must give: fp32, [variable,
time, row, column], written by numpy.
"""

import itertools
import json
import os
import pathlib
import shutil
import sys

import numpy as np
import xarray as xr
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec, GzipCodec, ZstdCodec

FOLDER, FINAL = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
ROWS, COLUMNS, TIMES = 6, 8, 5
LEVELS = [500.0, 850.0]
LATITUDES = np.linspace(-75, 75, ROWS)
LONGITUDES = np.arange(COLUMNS) * 45.0
START = np.datetime64("2001-01-01", "ns")
VALID = START + np.arange(TIMES) * np.timedelta64(6, "h")
random = np.random.default_rng(7)
TEMPERATURE = random.normal(270, 20, (TIMES, 2, ROWS, COLUMNS)).astype("f4")
SURFACE = random.normal(280, 20, (TIMES, ROWS, COLUMNS)).astype("f4")
SURFACE[1, 2, 3] = np.nan
MASK = random.uniform(0, 1, (ROWS, COLUMNS)).astype("f4")
TRUTH = np.stack([SURFACE, np.broadcast_to(MASK, SURFACE.shape), TEMPERATURE[:, 0], TEMPERATURE[:, 1]])
CASES = []


def build(dims="lat", rows="up", west=False, levels="up", units="hours since 1900-01-01", short=False):
    """The data set, its axes in the order asked for."""
    names = {"temperature": "t", "2m_temperature": "t2m", "land_sea_mask": "lsm"} if short else {}
    data = xr.Dataset(
        {
            "temperature": (("time", "level", "latitude", "longitude"), TEMPERATURE),
            "2m_temperature": (("time", "latitude", "longitude"), SURFACE),
            "land_sea_mask": (("latitude", "longitude"), MASK),
        },
        coords={
            "time": VALID,
            "level": ("level", LEVELS, {"units": "hPa"}),
            "latitude": ("latitude", LATITUDES, {"units": "degrees_north"}),
            "longitude": ("longitude", LONGITUDES, {"units": "degrees_east"}),
        },
    )
    data["2m_temperature"].attrs = {"units": "K", "long_name": "2 metre temperature"}
    data.time.encoding = {"units": units, "dtype": "int64"}
    if west:
        data = data.assign_coords(longitude=(data.longitude + 180) % 360 - 180).sortby("longitude")
        data.longitude.attrs["units"] = "degrees_east"
    if rows == "down":
        data = data.isel(latitude=slice(None, None, -1))
    if levels == "down":
        data = data.isel(level=slice(None, None, -1))
    if dims == "lon":
        data = data.transpose("time", "level", "longitude", "latitude", missing_dims="ignore")
    if short:
        data = data.rename(names).rename(time="valid_time", level="pressure_level")
        data = data.assign_coords(number=0, expver=("valid_time", np.array(["0001"] * TIMES, dtype=object)))
    return data


def packed(data):
    """Encodings that pack every field into 16 bits, as the Climate Data Store does."""
    encoding = {}
    for name, field in data.data_vars.items():
        low, high = float(field.min()), float(field.max())
        scale = (high - low) / 65000 or 1.0
        encoding[name] = {"dtype": "int16", "scale_factor": scale, "add_offset": (high + low) / 2, "_FillValue": -32767}
    return encoding


def add(name, path, tolerance=0.0):
    CASES.append({"name": name, "path": str(path).replace(str(FOLDER), str(FINAL)), "tolerance": tolerance})


def chunked(data, **rest):
    return {n: {"chunks": tuple(min(s, 3) for s in f.shape), **rest} for n, f in data.data_vars.items()}


def write_zarr2(name, data, compressor, **encoding):
    path = FOLDER / f"{name}.zarr"
    options = chunked(data, compressors=compressor, **encoding)
    data.to_zarr(path, mode="w", zarr_format=2, encoding=options, consolidated=name != "zarr2_zlib")
    add(name, path)


def write_zarr3(name, data, **encoding):
    path = FOLDER / f"{name}.zarr"
    data.to_zarr(path, mode="w", zarr_format=3, encoding=chunked(data, **encoding), consolidated="plain" not in name)
    add(name, path)


def orientations():
    """Every orientation through two containers, time units in turn."""
    units = [
        "seconds since 1970-01-01",
        "hours since 1900-01-01",
        "hours since 1959-01-01",
        "hours since 2001-01-01 00:00:0.0",
    ]
    choices = itertools.product(["lat", "lon"], ["up", "down"], [False, True], ["up", "down"])
    for i, (dims, rows, west, levels) in enumerate(choices):
        data = build(dims, rows, west, levels, units[i % 4])
        name = f"{dims}_{rows}_{'west' if west else 'east'}_{levels}"
        if i % 2:
            write_zarr3("zarr3_" + name, data)
        else:
            write_zarr2("zarr2_" + name, data, "auto")
        data.to_netcdf(FOLDER / f"{name}.nc", encoding={n: {"zlib": True, "complevel": 1} for n in data.data_vars})
        add("netcdf4_" + name, FOLDER / f"{name}.nc")


def zarr_codecs():
    from numcodecs import Blosc, GZip, Zlib, Zstd

    data = build("lon", "down")
    for cname in ["lz4", "lz4hc", "zstd", "zlib", "blosclz"]:
        for shuffle in [0, 1, 2]:
            write_zarr2(f"zarr2_blosc_{cname}_{shuffle}", data, Blosc(cname, 5, shuffle))
    write_zarr2("zarr2_zlib", data, Zlib(3))
    write_zarr2("zarr2_gzip", data, GZip(3))
    write_zarr2("zarr2_zstd", data, Zstd(3))
    write_zarr2("zarr2_none", data, None)
    write_zarr2("zarr2_f8", data, "auto", dtype=">f8")
    write_zarr3("zarr3_plain", data, compressors=None)
    write_zarr3("zarr3_gzip", data, compressors=[GzipCodec()])
    write_zarr3("zarr3_blosc_crc", data, compressors=[BloscCodec(cname="lz4"), Crc32cCodec()])
    write_zarr3("zarr3_zstd_f8", data, compressors=[ZstdCodec()], dtype="f8")
    path = FOLDER / "zarr3_sharded.zarr"
    encoding = {
        n: {"chunks": (2,) * (f.ndim), "shards": tuple(-(-s // 2) * 2 for s in f.shape)}
        for n, f in data.data_vars.items()
    }
    data.to_zarr(path, mode="w", zarr_format=3, encoding=encoding)
    add("zarr3_sharded", path)
    write_packed_zarr(data)


def write_packed_zarr(data):
    for version in [2, 3]:
        path = FOLDER / f"zarr{version}_packed.zarr"
        data.to_zarr(path, mode="w", zarr_format=version, encoding=packed(data))
        add(f"zarr{version}_packed", path, 2e-3)


def absent_chunks():
    """A chunk that was never written reads as the fill value; Fortran order and nested keys, unknown to xarray."""
    path = FOLDER / "zarr2_fortran.zarr"
    data = build()
    data.to_zarr(path, mode="w", zarr_format=2, consolidated=False)
    group = zarr.open_group(path, mode="a", zarr_format=2)
    for name, field in data.data_vars.items():
        del group[name]
        array = group.create_array(
            name,
            shape=field.shape,
            chunks=tuple(min(2, s) for s in field.shape),
            dtype="f4",
            order="F",
            fill_value=np.nan,
            chunk_key_encoding={"name": "v2", "separator": "/"},
        )
        array.attrs["_ARRAY_DIMENSIONS"] = list(field.dims)
        array[...] = field.values
    add("zarr2_fortran", path)
    path = FOLDER / "absent.zarr"
    data.to_zarr(path, mode="w", zarr_format=3, encoding=chunked(data))
    (path / "temperature/c/0/0/0/0").unlink()


def netcdf_files():
    data = build(short=True, rows="down", levels="down", units="seconds since 1970-01-01")
    for name, parts in {"cds": [["t"], ["t2m", "lsm"]]}.items():
        (FOLDER / name).mkdir(exist_ok=True)
        for part in parts:
            drop = [n for n in data.data_vars if n not in part]
            data.drop_vars(drop).to_netcdf(FOLDER / name / f"{part[0]}.nc")
        add(name, FOLDER / name)
    plain = build(rows="down").rename(latitude="lat", longitude="lon")
    plain["level"] = ("level", plain.level.values * 100, {"units": "Pa"})
    plain.time.encoding["dtype"] = "int32"
    plain.to_netcdf(FOLDER / "packed3.nc", format="NETCDF3_CLASSIC", encoding=packed(plain), unlimited_dims=["time"])
    add("netcdf3_packed", FOLDER / "packed3.nc", 2e-3)
    (FOLDER / "years").mkdir(exist_ok=True)
    build().to_netcdf(FOLDER / "cdf5.nc", format="NETCDF3_64BIT_DATA", engine="netcdf4")
    add("netcdf3_64bit_data", FOLDER / "cdf5.nc")
    small = {n: {"zlib": True, "shuffle": True, "chunksizes": (2,) * f.ndim} for n, f in build().data_vars.items()}
    build(dims="lon").to_netcdf(FOLDER / "small_chunks.nc", encoding=small)
    add("netcdf4_small_chunks", FOLDER / "small_chunks.nc")
    moving = build().drop_vars("land_sea_mask")
    for i, part in enumerate([slice(0, 2), slice(2, 5)]):
        piece = moving.isel(time=part)
        piece.time.encoding = {"units": f"hours since {2000 + i}-01-01"}
        piece.to_netcdf(FOLDER / "years" / f"year{i}.nc", format="NETCDF3_64BIT")
    build()[["land_sea_mask"]].to_netcdf(FOLDER / "years" / "constants.nc")
    add("years", FOLDER / "years")
    add("years_glob", f"{FOLDER}/years/*.nc")
    add("years_list", f"{FOLDER}/years/year1.nc,{FOLDER}/years/year0.nc,{FOLDER}/years/constants.nc")


def two_axes():
    """A variable on axes of its own, the other way round and starting elsewhere, beside one on the usual ones."""
    first = build()[["temperature", "land_sea_mask"]]
    second = build(rows="down", west=True)[["2m_temperature"]].rename(latitude="lat_2", longitude="lon_2")
    both = xr.merge([first, second])
    both.to_netcdf(FOLDER / "two_axes.nc")
    add("netcdf4_two_axes", FOLDER / "two_axes.nc")
    both.to_zarr(FOLDER / "two_axes.zarr", mode="w")
    add("zarr3_two_axes", FOLDER / "two_axes.zarr")


def publish():
    cases = FINAL / "cases.json"
    if cases.exists() and cases.stat().st_mtime >= pathlib.Path(__file__).stat().st_mtime:
        shutil.rmtree(FOLDER)  # another process was first, and a third may be reading what it made
        return
    try:
        if FINAL.exists():
            os.rename(FINAL, f"{FOLDER}.old")
            shutil.rmtree(f"{FOLDER}.old")
        os.rename(FOLDER, FINAL)
    except OSError:  # another process was first
        shutil.rmtree(FOLDER, ignore_errors=True)


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    orientations()
    zarr_codecs()
    absent_chunks()
    netcdf_files()
    two_axes()
    TRUTH.astype("<f4").tofile(FOLDER / "truth.bin")
    (FOLDER / "cases.json").write_text(json.dumps(CASES, indent=1))
    publish()


if __name__ == "__main__":
    main()
