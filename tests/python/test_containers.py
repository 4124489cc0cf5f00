"""Tests files and stores of other programs: valid ones are read, others are refused with the reason."""

import json
import resource

import numpy as np
import pytest

from command import graticule
from sky import sky
from test_axes import info, mean, refusal

pytestmark = pytest.mark.filterwarnings("ignore")
NAMES = ["2m_temperature", "mean_sea_level_pressure"]


@pytest.mark.parametrize("name", ["ERA5 [1 deg]", "a*b", "what?", "1979,1980"])
def test_a_path_that_exists_is_meant_as_it_stands(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    sky().to_zarr(folder / "a.zarr")
    sky().to_netcdf(folder / "b.nc")
    assert info(folder / "a.zarr")["names"] == NAMES
    assert info(folder)["names"] == NAMES


@pytest.mark.parametrize("name", ["a.nc", "a.zarr"])
def test_groups_are_named_and_read(tmp_path, name):
    path = tmp_path / name
    if name == "a.nc":
        sky().to_netcdf(path, group="measurements/surface")
    else:
        sky().to_zarr(path, group="measurements/surface")
    assert f"{path}/measurements" in refusal(path)
    assert info(path / "measurements" / "surface")["names"] == NAMES
    assert "no group" in refusal(path / "measurement") or name == "a.zarr"


@pytest.mark.parametrize("name", ["a.nc", "a.zarr"])
def test_coordinates_of_the_group_above(tmp_path, name):
    import xarray as xr

    tree = xr.DataTree.from_dict({"/": sky().drop_vars(["t2m", "msl"]), "/upper": sky().drop_vars(sky().coords)})
    path = tmp_path / name
    tree.to_netcdf(path) if name == "a.nc" else tree.to_zarr(path)
    assert info(path / "upper")["names"] == NAMES


def test_more_files_than_may_be_open(tmp_path):
    for i in range(80):
        sky(80).isel(time=[i]).to_netcdf(tmp_path / f"{i:02}.nc", format="NETCDF3_CLASSIC")
    few = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))}
    result = graticule("data", "stats", tmp_path, **few)
    assert result.returncode == 0, result.stderr
    got = json.loads(result.stdout)["variables"]["2m_temperature"]["mean"]
    assert got == pytest.approx(float(sky(80).t2m.mean(dtype="f8")), rel=1e-9)


@pytest.mark.parametrize("compression", ["zstd", "bzip2", "blosc_lz4"])
def test_a_filter_that_is_not_there_is_named(tmp_path, compression):
    sky().to_netcdf(tmp_path / "a.nc", encoding={"t2m": {"compression": compression}}, engine="netcdf4")
    result = graticule("data", "info", tmp_path / "a.nc")
    if result.returncode:  # this HDF5 may have it
        assert result.returncode == 2 and "t2m is compressed by" in result.stderr, result.stderr
        assert compression.split("_")[0] in result.stderr and "zlib" in result.stderr


@pytest.mark.parametrize("form", [2, 3])
def test_python_writes_nan_into_json(tmp_path, form):
    data = sky()
    data.t2m.attrs.update(missing_value=float("nan"), valid_max=float("inf"), comment='NaN and "Infinity" stay \\ text')
    data.to_zarr(tmp_path / "a.zarr", zarr_format=form)
    assert info(tmp_path / "a.zarr")["names"] == NAMES


def test_metadata_without_a_key(tmp_path):
    sky().to_zarr(tmp_path / "a.zarr", zarr_format=2, consolidated=False)
    array = tmp_path / "a.zarr" / "t2m" / ".zarray"
    whole = json.loads(array.read_text())
    for change, words in (({"chunks": None}, "another type"), ({}, 'lacks "chunks"')):
        broken = {k: v for k, v in whole.items() if k != "chunks"} | change
        array.write_text(json.dumps(broken))
        result = graticule("data", "info", tmp_path / "a.zarr")
        assert result.returncode == 1 and "a.zarr/t2m" in result.stderr and words in result.stderr, result.stderr


def test_rounded_and_renamed_codecs(tmp_path):
    import numcodecs
    import numcodecs.zarr3 as named

    for name, form, encoding in (
        ("bitround2", 2, {"filters": [numcodecs.BitRound(9)]}),
        ("bitround3", 3, {"filters": [named.BitRound(keepbits=9)]}),
        ("zstd3", 3, {"compressors": [named.Zstd()]}),
        ("blosc3", 3, {"compressors": [named.Blosc()]}),
        ("gzip3", 3, {"compressors": [named.GZip()]}),
    ):
        sky().to_zarr(tmp_path / name, zarr_format=form, encoding={"t2m": encoding})
        want = float(sky().t2m.mean(dtype="f8"))
        assert mean(tmp_path / name, "2m_temperature") == pytest.approx(want, rel=2e-3 if "bit" in name else 1e-9)


def netcdf(path, kind, **attributes):
    """msl packed as `kind`, with the last two of eight times never written."""
    import netCDF4

    sky()[["t2m"]].to_netcdf(path, unlimited_dims=["time"])
    with netCDF4.Dataset(path, "a") as file:
        late = file.createVariable("msl", kind, ("time", "latitude", "longitude"))
        late.set_auto_maskandscale(False)
        late.units = "Pa"
        late.setncatts(attributes)
        late[:6] = np.arange(6 * 96).reshape(6, 8, 12) % 100
    return path


@pytest.mark.parametrize("kind", ["i2", "i4", "i8", "u2", "u4", "f4", "f8"])
def test_records_that_nobody_wrote_are_missing(tmp_path, kind):
    told = info(netcdf(tmp_path / "a.nc", kind))
    assert told["missing"]["mean_sea_level_pressure"] > 0
    result = json.loads(graticule("data", "stats", tmp_path / "a.nc").stdout)["variables"]["mean_sea_level_pressure"]
    assert result["missing"] == 2 * 96
    assert result["mean"] == pytest.approx(float((np.arange(6 * 96) % 100).mean()))


def test_bytes_have_no_default_fill_value(tmp_path):
    result = graticule("data", "stats", netcdf(tmp_path / "a.nc", "u1"))
    assert json.loads(result.stdout)["variables"]["mean_sea_level_pressure"]["missing"] == 0


def test_unsigned_bytes_of_a_classic_file(tmp_path):
    import netCDF4

    sky()[["t2m"]].to_netcdf(tmp_path / "a.nc", format="NETCDF3_CLASSIC")
    with netCDF4.Dataset(tmp_path / "a.nc", "a") as file:
        cover = file.createVariable("tcc", "i1", ("time", "latitude", "longitude"), fill_value=-1)
        cover.set_auto_maskandscale(False)
        cover._Unsigned = "true"
        cover[:] = np.full((8, 8, 12), 200, "u1").view("i1")
        cover[0, 0, 0] = -1
    assert mean(tmp_path / "a.nc", "total_cloud_cover") == 200
    assert info(tmp_path / "a.nc")["missing"]["total_cloud_cover"] == 1


def test_missing_value_as_text(tmp_path):
    data = sky()
    data.t2m.values[0, 0, 0] = -999
    for text, missing in (("-999.0", 1), ("NA", 0)):
        data.t2m.attrs["missing_value"] = text
        data.to_netcdf(tmp_path / f"{missing}.nc", encoding={"t2m": {"_FillValue": None}})
        assert info(tmp_path / f"{missing}.nc")["missing"]["2m_temperature"] == missing


def test_infinite_values_are_told_and_refused(tmp_path):
    data = sky()
    data.t2m.values[3, 3, 4] = -np.inf
    data.to_netcdf(tmp_path / "a.nc")
    assert info(tmp_path / "a.nc")["infinite"]["2m_temperature"] in (0, 1)  # four of eight times are looked at
    told = json.loads(graticule("data", "info", tmp_path / "a.nc", "--json", "--missing").stdout)
    assert told["infinite"]["2m_temperature"] == 1
    assert "2m_temperature at 2001-01-01T18:00:00 has 1 infinite values of 96" in refusal(tmp_path / "a.nc")


@pytest.mark.parametrize("name", ["f.nc", "f.zarr"])
def test_a_full_disk_under_synthetic_data(tmp_path, name):
    def full():
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))

    size = ("--rows", 64, "--columns", 128, "--variables", 6, "--times", 20)
    result = graticule("data", "synth", tmp_path / name, *size, preexec_fn=full)
    assert result.returncode == 1, result.stderr
    assert "disk full" in result.stderr or "Make room" in result.stderr, result.stderr
    assert not list(tmp_path.iterdir())


def test_what_chunks_cost_is_told(tmp_path):
    """Chunks of all times, more than is kept in memory (and never written, so that the test is quick)."""
    import zarr

    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    axes = {
        "time": (np.arange(6000) * 6, "hours since 2001-01-01"),
        "latitude": (np.linspace(-89, 89, 90), "degrees_north"),
        "longitude": (np.arange(120) * 3.0, "degrees_east"),
    }
    for name, (values, units) in axes.items():
        array = group.create_array(name, shape=values.shape, dtype=values.dtype, dimension_names=[name])
        array[...] = values
        array.attrs["units"] = units
    for name in ("t2m", "msl", "sp"):
        group.create_array(name, shape=(6000, 90, 120), chunks=(6000, 45, 40), dtype="f4", dimension_names=list(axes))
    told = json.loads(graticule("data", "info", tmp_path / "a.zarr", "--json").stdout)
    assert "6000 times a chunk" in told["cost"] and "6000 times what it uses" in told["cost"], told["cost"]
    assert "6000 times a chunk" in graticule("data", "info", tmp_path / "a.zarr").stdout
    sky().to_zarr(tmp_path / "small.zarr")
    assert json.loads(graticule("data", "info", tmp_path / "small.zarr", "--json").stdout)["cost"] is None


def test_an_enumeration_is_read_and_what_holds_no_numbers_is_told(tmp_path):
    import netCDF4

    sky().to_netcdf(tmp_path / "a.nc")
    with netCDF4.Dataset(tmp_path / "a.nc", "a") as file:
        kind = file.createEnumType("u1", "surface", {"sea": 0, "land": 1})
        file.createVariable("lsm", kind, ("latitude", "longitude"), fill_value=0)[:] = np.ones((8, 12), "u1")
        file.createVariable("flag", "S1", ("time", "latitude", "longitude"))
    told = info(tmp_path / "a.nc")
    assert "land_sea_mask" in told["names"] and "flag (" in told["notes"]


def test_the_extended_form_of_a_grid_mapping(tmp_path):
    data = sky().assign(crs=((), 0, {"grid_mapping_name": "rotated_latitude_longitude"}))
    data.t2m.attrs["grid_mapping"] = "crs: latitude longitude"
    data[["t2m", "crs"]].to_netcdf(tmp_path / "a.nc")
    assert "rotated_latitude_longitude" in refusal(tmp_path / "a.nc")


def test_a_stream_that_was_never_closed(tmp_path):
    sky().to_netcdf(tmp_path / "a.nc", format="NETCDF3_CLASSIC", unlimited_dims=["time"])
    raw = (tmp_path / "a.nc").read_bytes()
    (tmp_path / "a.nc").write_bytes(raw[:4] + b"\xff\xff\xff\xff" + raw[8:])
    assert "does not say how many records" in refusal(tmp_path / "a.nc")


def test_half_a_file_is_damaged_and_said_to_be(tmp_path):
    sky(400).to_netcdf(tmp_path / "a.nc")
    raw = (tmp_path / "a.nc").read_bytes()
    (tmp_path / "a.nc").write_bytes(raw[: len(raw) // 2])
    result = graticule("data", "info", tmp_path / "a.nc")
    assert result.returncode == 1 and "truncated file" in result.stderr and "cut off" in result.stderr, result.stderr


def test_files_of_a_folder_that_are_not_read_are_told(tmp_path):
    sky().to_netcdf(tmp_path / "2001.nc")
    (tmp_path / "2002.nc.gz").write_text("")
    (tmp_path / "._2001.nc").write_text("")
    assert "not 2002.nc.gz" in info(tmp_path)["notes"]


def test_what_is_no_file_is_refused(tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe.nc")
    assert "no regular file" in refusal(tmp_path / "pipe.nc")
    sky().to_zarr(tmp_path / "a.zarr", zarr_format=2, encoding={"t2m": {"chunks": (1, 8, 12)}})
    (tmp_path / "a.zarr/t2m/3.0.0").unlink()
    (tmp_path / "a.zarr/t2m/3.0.0").mkdir()
    assert "a folder where a file should be" in refusal(tmp_path / "a.zarr")


def test_nested_keys_that_are_not_announced(tmp_path):
    sky().to_zarr(tmp_path / "a.zarr", zarr_format=2, consolidated=False, encoding={"t2m": {"chunks": (1, 8, 12)}})
    array = tmp_path / "a.zarr" / "t2m"
    for chunk in array.glob("[0-9]*.0.0"):
        folder = array / chunk.name.split(".")[0] / "0"
        folder.mkdir(parents=True)
        chunk.rename(folder / "0")
    about = json.loads((array / ".zarray").read_text())
    about.pop("dimension_separator", None)
    (array / ".zarray").write_text(json.dumps(about))
    assert mean(tmp_path / "a.zarr", "2m_temperature") == pytest.approx(float(sky().t2m.mean(dtype="f8")), rel=1e-9)


def test_static_fields_once_a_year(tmp_path):
    for i in range(2):
        data = sky(8).isel(time=slice(4 * i, 4 * i + 4))
        mask = data[["t2m"]].isel(time=[0]).rename(t2m="lsm", time="time_1") * 0 + 0.5
        data.merge(mask).to_netcdf(tmp_path / f"{i}.nc")
    told = info(tmp_path)
    assert told["times"]["count"] == 8 and "land_sea_mask" in told["notes"]


def test_files_that_gdal_brings(tmp_path):
    """Two files of a zip, which GDAL's virtual file system opens as it opens remote ones: each is itself."""
    import zipfile

    with zipfile.ZipFile(tmp_path / "years.zip", "w") as archive:
        for i in range(2):
            sky().isel(time=slice(4 * i, 4 * i + 4)).to_netcdf(tmp_path / f"{i}.nc")
            archive.write(tmp_path / f"{i}.nc", f"{i}.nc")
    path = ",".join(f"/vsizip/{tmp_path}/years.zip/{i}.nc" for i in range(2))
    assert info(path)["times"]["count"] == 8
    assert mean(path, "2m_temperature") == pytest.approx(float(sky().t2m.mean(dtype="f8")), rel=1e-9)
    assert "absent.nc does not exist" in refusal(f"/vsizip/{tmp_path}/years.zip/absent.nc")


@pytest.mark.parametrize("name", ["expver", "month"])
def test_what_says_nothing_of_a_field_joins(tmp_path, name):
    for i in range(2):
        half = sky().isel(time=slice(4 * i, 4 * i + 4)).assign_coords({name: i + 1})
        half.to_netcdf(tmp_path / f"{i}.nc")
    assert info(tmp_path)["times"]["count"] == 8


@pytest.mark.parametrize("form", [2, 3])
def test_a_store_tells_its_array_without_numbers(tmp_path, form):
    data = sky()
    data["flag"] = (data.t2m.dims, np.full(data.t2m.shape, "ok"))
    data.to_zarr(tmp_path / "a.zarr", zarr_format=form)
    assert "flag holds no real numbers" in info(tmp_path / "a.zarr")["notes"]
