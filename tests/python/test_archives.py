"""Tests zip archives, as other programs write them: they are read like the folder that they hold."""

import json
import shutil
import zipfile

import numpy as np
import pytest
import xarray as xr

from command import graticule
from sky import sky
from test_axes import info, mean, refusal

pytestmark = pytest.mark.filterwarnings("ignore")
NAMES = ["2m_temperature", "mean_sea_level_pressure"]


def zipped(archive, members, method=zipfile.ZIP_STORED):
    """An archive of `members`: name -> file or folder."""
    with zipfile.ZipFile(archive, "w", method) as out:
        for name, path in members.items():
            for file in [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file()):
                out.write(file, name if path.is_file() else str(name / file.relative_to(path)).lstrip("/"))
    return archive


def equals(path, data, rtol=1e-9):
    assert info(path)["names"] == NAMES
    for name, long in (("t2m", NAMES[0]), ("msl", NAMES[1])):
        assert mean(path, long) == pytest.approx(float(data[name].mean(dtype="f8")), rel=rtol)


@pytest.mark.parametrize("form", [2, 3])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_store_of_zarr_itself(tmp_path, form, method):
    from zarr.storage import ZipStore

    path = tmp_path / "a.zarr.zip"
    with ZipStore(path, mode="w", compression=method) as store:
        sky().to_zarr(store, zarr_format=form, encoding={"msl": {"compressors": None}})
    with ZipStore(path, mode="r") as store:
        equals(path, xr.open_zarr(store).load())


@pytest.mark.parametrize("inside", ["", "a.zarr"])
def test_a_zipped_folder_with_groups(tmp_path, inside):
    from pathlib import Path

    sky().to_zarr(tmp_path / "a.zarr")
    sky().to_zarr(tmp_path / "a.zarr", group="upper/air", mode="a")
    archive = zipped(tmp_path / "b.zip", {Path(inside): tmp_path / "a.zarr"}, zipfile.ZIP_DEFLATED)
    shutil.rmtree(tmp_path / "a.zarr")
    equals(archive, sky())
    equals(archive / inside / "upper" / "air", sky())


def test_a_shard_in_an_archive(tmp_path):
    from zarr.storage import ZipStore

    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        path = tmp_path / f"{method}.zip"
        with ZipStore(path, mode="w", compression=method) as store:
            sky().to_zarr(store, zarr_format=3, encoding={"t2m": {"shards": (4, 8, 12), "chunks": (1, 4, 6)}})
        equals(path, sky())


def test_the_later_of_two_members_counts(tmp_path):
    """As Python reads it. A store that was changed after it was written has such members."""
    from zarr.storage import ZipStore

    path = tmp_path / "a.zip"
    with ZipStore(path, mode="w") as store:
        sky().to_zarr(store, zarr_format=2, consolidated=False)
        import zarr

        zarr.open_group(store, mode="a")["t2m"][:] = np.full((8, 8, 12), 273.25, "f4")
    assert mean(path, "2m_temperature") == pytest.approx(273.25)


@pytest.mark.parametrize("name", ["download.zip", "download.nc"])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_zip_of_the_climate_data_store(tmp_path, name, method):
    """Instantaneous and accumulated fields come as two members, each with its own times."""
    data = sky().rename(time="valid_time")
    data.valid_time.encoding = {"units": "seconds since 1970-01-01", "dtype": "i8"}
    data[["t2m"]].to_netcdf(tmp_path / "instant.nc")
    accumulated = data[["msl"]].rename(msl="tp").isel(valid_time=slice(1, None)) * 1e-8
    accumulated.tp.attrs["units"] = "m"
    accumulated.to_netcdf(tmp_path / "accum.nc")
    stem = "data_stream-oper_stepType-"
    path = zipped(tmp_path / name, {f"{stem}{n}.nc": tmp_path / f"{n}.nc" for n in ("instant", "accum")}, method)
    told = info(path)
    assert told["names"] == ["2m_temperature", "total_precipitation"]
    assert told["times"]["count"] == 7, told["times"]
    want = float(accumulated.tp.mean(dtype="f8"))
    assert mean(path, "total_precipitation") == pytest.approx(want, rel=1e-6)
    (tmp_path / "months").mkdir()
    path.rename(tmp_path / "months" / "a.zip")
    assert info(tmp_path / "months")["names"] == told["names"]


def test_two_files_of_one_variable(tmp_path):
    sky().to_netcdf(tmp_path / "a.nc")
    message = refusal(zipped(tmp_path / "a.zip", {n: tmp_path / "a.nc" for n in ("one.nc", "two.nc")}))
    assert "twice" in message and "one.nc" in message and "two.nc" in message, message


def test_archives_that_cannot_be_read(tmp_path):
    (tmp_path / "text.txt").write_text("words")
    message = refusal(zipped(tmp_path / "a.zip", {"text.txt": tmp_path / "text.txt"}))
    assert "a.zip" in message and "text.txt" in message
    sky().to_zarr(tmp_path / "a.zarr", consolidated=False)
    for method, word in ((zipfile.ZIP_BZIP2, "method 12"), (zipfile.ZIP_LZMA, "method 14")):
        from pathlib import Path

        assert word in refusal(zipped(tmp_path / "b.zip", {Path(""): tmp_path / "a.zarr"}, method))
    whole = zipped(tmp_path / "c.zip", {Path(""): tmp_path / "a.zarr"}, zipfile.ZIP_DEFLATED)
    content = whole.read_bytes()
    for name, bad in (
        ("short.zip", content[: len(content) // 2]),
        ("bytes.zip", content[:3000] + bytes(200) + content[3200:]),
    ):
        (tmp_path / name).write_bytes(bad)
        result = graticule("data", "stats", tmp_path / name)
        assert result.returncode == 1 and result.stderr.count("\n") == 1, result.stderr
        assert name in result.stderr and "damaged" in result.stderr, result.stderr


def test_members_stay_inside(tmp_path):
    """Nothing is unpacked: a name that leads out of the archive is only a name."""
    sky().to_netcdf(tmp_path / "a.nc")
    path = zipped(tmp_path / "a.zip", {"../outside.nc": tmp_path / "a.nc"})
    graticule("data", "info", path)
    assert not (tmp_path.parent / "outside.nc").exists()
    assert json.loads(graticule("data", "info", tmp_path / "a.nc", "--json").stdout)["variables"]
