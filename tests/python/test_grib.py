"""Tests GRIB files of both editions, written by eccodes, against its own reading."""

import json

import eccodes
import pytest

from command import graticule
from sky import sky
from test_axes import info, mean, refusal

SHORT = {"t2m": "2t", "msl": "msl"}


def message(edition, short, values, time, level=None, grid="regular_ll", north_first=True, missing=False):
    """One message on the grid of the sky."""
    data = sky()
    latitudes, longitudes = data.latitude.values, data.longitude.values
    kind = "pl" if level else "sfc"
    handle = eccodes.codes_grib_new_from_samples(f"{grid}_{kind}_grib{edition}")
    step = float(latitudes[1] - latitudes[0])
    first, last = (latitudes[-1], latitudes[0]) if north_first else (latitudes[0], latitudes[-1])
    settings = {"Ni": len(longitudes), "Nj": len(latitudes), "iDirectionIncrementInDegrees": 30.0}
    settings |= {"jDirectionIncrementInDegrees": step, "jScansPositively": int(not north_first)}
    settings |= {"latitudeOfFirstGridPointInDegrees": float(first), "latitudeOfLastGridPointInDegrees": float(last)}
    settings |= {"longitudeOfFirstGridPointInDegrees": 0.0, "longitudeOfLastGridPointInDegrees": 330.0}
    day, hour = str(time.astype("M8[D]")).replace("-", ""), int(str(time.astype("M8[h]"))[-2:])
    settings |= {"dataDate": int(day), "dataTime": hour * 100, "centre": "ecmf", "bitsPerValue": 24, "shortName": short}
    if level:
        settings["level"] = level
    if grid == "regular_ll":
        for key, value in settings.items():
            eccodes.codes_set(handle, key, value)
        flat = (values[::-1] if north_first else values).astype("f8").ravel()
        if missing:
            eccodes.codes_set(handle, "bitmapPresent", 1)
            eccodes.codes_set(handle, "missingValue", 9999.0)
            flat[0] = 9999.0
        eccodes.codes_set_values(handle, flat)
    written = eccodes.codes_get_message(handle)
    eccodes.codes_release(handle)
    return written


def messages(edition, **options):
    data, parts = sky(), []
    for i, time in enumerate(data.time.values):
        parts += [message(edition, SHORT[n], data[n].values[i], time, **options) for n in SHORT]
        for level in (850, 500):
            parts.append(message(edition, "t", data.t2m.values[i] - level / 10, time, level, **options))
    return parts


@pytest.mark.parametrize("edition", [1, 2])
@pytest.mark.parametrize("north_first", [True, False])
def test_both_editions(tmp_path, edition, north_first):
    (tmp_path / "a.grib").write_bytes(b"".join(messages(edition, north_first=north_first)))
    told = info(tmp_path / "a.grib")
    assert told["names"] == ["2m_temperature", "mean_sea_level_pressure", "temperature@500", "temperature@850"]
    assert told["times"]["count"] == 8 and told["times"]["first"].startswith("2001-01-01T00")
    data = sky()
    for name, want in (
        ("2m_temperature", data.t2m),
        ("mean_sea_level_pressure", data.msl),
        ("temperature@500", data.t2m - 50),
    ):
        assert mean(tmp_path / "a.grib", name) == pytest.approx(float(want.mean(dtype="f8")), rel=1e-6)
    data[["t2m"]].to_netcdf(tmp_path / "a.nc")  # the same grid, so the rows are in the same order
    for ending in ("grib", "nc"):
        (tmp_path / ending).mkdir()
        (tmp_path / f"a.{ending}").rename(tmp_path / ending / f"a.{ending}")
    deviation = [
        json.loads(graticule("data", "stats", tmp_path / one, "--variables", "2m_temperature").stdout)["variables"][
            "2m_temperature"
        ]["deviation"]
        for one in ("grib", "nc")
    ]
    assert deviation[0] == pytest.approx(deviation[1], rel=1e-5)


def test_a_missing_value(tmp_path):
    values = sky().t2m.values
    for i, edition in enumerate((1, 2)):
        path = tmp_path / f"{edition}.grib"
        path.write_bytes(message(edition, "2t", values[i], sky().time.values[i], missing=True))
        result = json.loads(graticule("data", "stats", path).stdout)["variables"]["2m_temperature"]
        assert result["missing"] == 1


def test_grib_that_cannot_be_read(tmp_path):
    path, whole = tmp_path / "a.grib", messages(2)[0]
    for edition in (1, 2):
        for grid, words in (("reduced_gg", "Gaussian"), ("sh", "spherical harmonics")):
            path.write_bytes(message(edition, "t", None, sky().time.values[0], 500, grid))
            assert words in refusal(path)
    path.write_bytes(whole + whole)
    assert "twice" in refusal(path)
    path.write_bytes(whole + whole[:-20])
    result = graticule("data", "stats", path)
    assert result.returncode == 1 and "cut off" in result.stderr and result.stderr.count("\n") == 1, result.stderr


def test_messages_that_gdal_would_put_in_wrong_places(tmp_path):
    path, time = tmp_path / "a.grib", sky().time.values[0]
    for edition in (1, 2):
        whole = message(edition, "2t", sky().t2m.values[0], time)
        other = message(edition, "msl", sky().msl.values[0], time)
        path.write_bytes(message(1, "2t", sky().t2m.values[0], time) + other)
        assert len(info(path)["names"]) == 2
        for changes, words in (
            ({"iScansNegatively": 1}, "rows from east to west"),
            ({"longitudeOfFirstGridPointInDegrees": -180, "longitudeOfLastGridPointInDegrees": 150}, "different grids"),
            ({"latitudeOfFirstGridPointInDegrees": 70, "latitudeOfLastGridPointInDegrees": -70}, "different grids"),
        ):
            handle = eccodes.codes_new_from_message(whole)
            for key, value in changes.items():
                eccodes.codes_set(handle, key, value)
            path.write_bytes(other + eccodes.codes_get_message(handle))
            assert words in refusal(path)
            eccodes.codes_release(handle)


def packed(kind):
    handle = eccodes.codes_new_from_message(message(2, "2t", sky().t2m.values[0], sky().time.values[0]))
    values = eccodes.codes_get_values(handle)
    eccodes.codes_set(handle, "bitsPerValue", 16)  # the values are then read anew, by other bits
    eccodes.codes_set_values(handle, values)
    eccodes.codes_set(handle, "packingType", kind)
    written = eccodes.codes_get_message(handle)
    eccodes.codes_release(handle)
    return written


@pytest.mark.parametrize("kind", ["grid_complex", "grid_complex_spatial_differencing", "grid_jpeg", "grid_ieee"])
def test_packings(tmp_path, kind):
    (tmp_path / "a.grib").write_bytes(packed(kind))
    want = float(sky().t2m.values[0].mean(dtype="f8"))
    assert mean(tmp_path / "a.grib", "2m_temperature") == pytest.approx(want, rel=1e-5)


def test_a_packing_that_gdal_lacks_is_named(tmp_path):
    """GDAL has CCSDS from 3.11 on, if it was built with it."""
    path = tmp_path / "a.grib"
    path.write_bytes(packed("grid_ccsds"))
    result = graticule("data", "info", path)
    if result.returncode != 0:
        assert result.returncode == 2 and "packed by CCSDS" in result.stderr, result.stderr
