"""Tests HDF5 files with one array of all channels: as makani writes them, with scales, masks and virtual data sets, and
as PhysicsNeMo, FourCastNet and NERSC's tutorial do, without names and times.

The files are written by h5py, as these programs do: makani data_process/{convert_wb2_to_makani_input,
annotate_dataset,h5_convert,concatenate_dataset}.py; physicsnemo datapipes/climate/era5_hdf5.py."""

import numpy as np
import pytest

from channels import (
    COUNT,
    LATITUDES,
    LONGITUDES,
    NAMES,
    OURS,
    expect_equal,
    fields,
    info,
    recipe_of,
    refusal,
    stamps,
    statistics,
    usual,
)

h5py = pytest.importorskip("h5py")
pytestmark = pytest.mark.filterwarnings("ignore")
LABELS = ("Timestamp in UTC time zone", "Channel name", "Latitude in degrees", "Longitude in degrees")
LAYOUT = f"""names = {NAMES}
latitudes = [90, -90]
longitudes = [0, 330]
step_hours = 6""".replace("'", '"')


def makani(path, times, data, names=NAMES, attached=True, valid=None, **options):
    scales = {
        "timestamp": times.astype("datetime64[s]").astype("f8"),
        "channel": np.array(names, dtype="S"),
        "lat": LATITUDES.astype("f4"),
        "lon": LONGITUDES.astype("f4"),
    }
    with h5py.File(path, "w") as file:
        array = file.create_dataset("fields", data=data, **options)
        for d, (name, values) in enumerate(scales.items()):
            scale = file.create_dataset(name, data=values)
            if attached:
                scale.make_scale(name)
                array.dims[d].attach_scale(scale)
                array.dims[d].label = LABELS[d]
        if valid is not None:
            file["valid_data"] = valid.astype("i4")
    return path


def bare(path, data, **options):
    with h5py.File(path, "w") as file:
        file.create_dataset("fields", data=data, **options)
    return path


def split_by_year(folder, write, **options):
    """A file a year in `folder`, named after it."""
    folder.mkdir()
    data, times = fields(), stamps()
    years = times.astype("datetime64[Y]").astype(int) + 1970
    for year in np.unique(years):
        write(folder / f"{year}.h5", times[years == year], data[years == year], **options)
    return folder


CHUNKED = {"chunks": (1, 1, len(LATITUDES), len(LONGITUDES)), "compression": "gzip", "shuffle": True}
MANY = {"chunks": (4, 3, 5, 7), "compression": "gzip"}


@pytest.mark.parametrize(
    "options", [{}, {"attached": False}, CHUNKED, MANY], ids=["plain", "no-scales", "gzip", "many"]
)
def test_makani_a_file_a_year(tmp_path, options):
    folder = split_by_year(tmp_path / "data", makani, **options)
    expect_equal(tmp_path, folder, usual(tmp_path / "usual.zarr", fields()))
    assert info(folder)["container"] == "HDF5"


def virtual(path, folder, keep=slice(None)):
    """A virtual data set over the years, as makani's concatenate_dataset writes it."""
    files = sorted(folder.glob("*.h5"))
    counts = [h5py.File(file)["fields"].shape[0] for file in files]
    shape = (sum(counts), *fields(1).shape[1:])
    layout, at = h5py.VirtualLayout(shape=shape, dtype="f4"), 0
    for file, count in zip(files, counts, strict=True):
        layout[at : at + count] = h5py.VirtualSource(str(file), "fields", shape=(count, *shape[1:]))
        at += count
    makani(path, stamps(), fields())
    with h5py.File(path, "a") as file:
        del file["fields"]
        file.create_virtual_dataset("fields", layout, fillvalue=0)
        for d, name in enumerate(("timestamp", "channel", "lat", "lon")):
            file["fields"].dims[d].attach_scale(file[name])
    return path


def test_a_virtual_data_set_over_years(tmp_path):
    folder = split_by_year(tmp_path / "data", makani)
    path = virtual(tmp_path / "all.h5", folder)
    expect_equal(tmp_path, path, usual(tmp_path / "usual.zarr", fields()))
    (folder / "2001.h5").rename(folder / "moved.h5")
    message = refusal(path)
    assert "fields takes values from" in message and "2001.h5, which does not exist" in message


def test_what_valid_data_marks_is_missing(tmp_path):
    data, valid = fields(), np.ones((COUNT, len(NAMES)))
    valid[3, 1] = valid[3, 2] = valid[20, 0] = 0
    valid[7] = 0
    makani(tmp_path / "a.h5", stamps(), data, valid=valid)
    data[valid == 0] = np.nan
    there = np.arange(COUNT) != 7
    want = usual(tmp_path / "usual.zarr", data[there], stamps()[there])
    told = info(tmp_path / "a.h5")
    expected = info(want)
    assert told["times"] == expected["times"]
    assert told["missing"] == {name: expected["missing"][name] for name in OURS}
    assert "1 of 40 times are left out" in told["notes"] and "3 fields are missing" in told["notes"]
    assert sum(told["missing"].values()) == 3 * 7 * 12
    assert statistics(tmp_path / "a.h5") == statistics(want)


def test_names_and_times_from_the_recipe(tmp_path):
    folder = split_by_year(tmp_path / "data", lambda path, times, data: bare(path, data))
    for year in ("2000", "2001"):  # each year begins at its new year
        recipe = recipe_of(tmp_path, folder / f"{year}.h5", LAYOUT)
        told = info(folder / f"{year}.h5", "--recipe", recipe)
        assert told["names"] == sorted(OURS) and told["times"]["first"] == f"{year}-01-01T00:00:00"
    path = bare(tmp_path / "all.h5", fields())
    layout = LAYOUT + '\nstart = "2000-12-28"'
    expect_equal(tmp_path, path, usual(tmp_path / "usual.zarr", fields()), layout)
    path = makani(tmp_path / "renamed.h5", stamps(), fields(), names=[f"c{i}" for i in range(len(NAMES))])
    assert "c0" in info(path)["names"]
    expect_equal(tmp_path / "renamed", path, tmp_path / "usual.zarr", LAYOUT.splitlines()[0])


def test_what_the_recipe_must_say(tmp_path):
    path = bare(tmp_path / "a.h5", fields())
    lines = LAYOUT.splitlines()

    def told(layout):
        return refusal(path, "--recipe", recipe_of(tmp_path, path, "\n".join(layout)))

    assert "the 8 channels of fields have no names" in refusal(path) and "[data.layout] names" in refusal(path)
    assert "has 8 channels, but data.layout.names lists 7 names" in told([lines[0].replace('"u10m", ', ""), *lines[1:]])
    assert "has no latitudes" in told([lines[0], *lines[2:]])
    assert "has no longitudes" in told([*lines[:2], *lines[3:]])
    assert "step_hours = 6" in told(lines[:3])
    assert "its name is no year" in told(lines)


def test_names_that_are_not_clear(tmp_path):
    # u10 would be the wind at 10 m, as u10m is; u1, u2, ... count the levels of a model.
    path = makani(tmp_path / "a.h5", stamps(), fields(), names=["u10m", "u10", *NAMES[2:]])
    message = refusal(path)
    assert "the channels u10m and u10 are both 10m_u_component_of_wind" in message and str(path) in message
    names = ["t20", "t21", "z_20", "q850", "VAR_2T", "2d", "temperature_925", "own_name"]
    told = info(makani(tmp_path / "b.h5", stamps(), fields(), names=names))["names"]
    want = ["t20", "t21", "geopotential@20", "specific_humidity@850", "2m_temperature", "2m_dewpoint_temperature"]
    assert told == sorted([*want, "temperature@925", "own_name"])


def test_years_that_overlap(tmp_path):
    folder = split_by_year(tmp_path / "data", makani)
    makani(folder / "2002.h5", stamps("2001-01-02", 4), fields(4))
    message = refusal(folder)
    assert "is given twice" in message and "2001.h5" in message and "2002.h5" in message


def test_a_scale_of_another_length(tmp_path):
    path = makani(tmp_path / "a.h5", stamps(), fields(), attached=False)
    with h5py.File(path, "a") as file:
        del file["timestamp"]
        file["timestamp"] = np.arange(3.0)
    assert "fields has 40 along timestamp, but timestamp has 3 values" in refusal(path)


def test_a_file_that_is_cut_off(tmp_path):
    path = makani(tmp_path / "a.h5", stamps(), fields(), **CHUNKED)
    path.write_bytes(path.read_bytes()[:50000])
    assert "copy it again" in refusal(path, code=1)


@pytest.mark.parametrize("libver", ["v110", "v112", "latest"])
def test_files_for_newer_libraries(tmp_path, libver):
    """HDF5 1.10 does not know the references of later versions, which dimension scales are made of."""
    path = tmp_path / "a.nc"
    with h5py.File(path, "w", libver=libver) as file:
        axes = {"time": np.arange(4.0), "latitude": np.linspace(-80, 80, 8), "longitude": np.arange(12) * 30.0}
        units = ["hours since 2001-01-01", "degrees_north", "degrees_east"]
        file["t2m"] = np.full((4, 8, 12), 280, "f4")
        for at, (name, values) in enumerate(axes.items()):
            file[name] = values
            file[name].attrs["units"] = units[at]
            file[name].make_scale(name)
            file["t2m"].dims[at].attach_scale(file[name])
    if libver == "v110":
        assert info(path)["names"] == ["2m_temperature"]
    else:
        message = refusal(path)
        assert "written for newer libraries than HDF5 1.1" in message and "bad version number" in message
