"""An atmosphere as one array with a channel for each variable, and the same as xarray writes it. Tests write the array
in the layouts of training codes and expect the same numbers."""

import json

import numcodecs
import numpy as np
import xarray as xr
import zarr

from command import graticule, write_recipe
from seed import seeded

LATITUDES, LONGITUDES = np.linspace(90, -90, 7), np.arange(12) * 30.0
COUNT, HOURS = 40, 6
# Their names (makani's), ours, and the position of each in `usual`.
CHANNELS = {
    "u10m": "10m_u_component_of_wind",
    "t2m": "2m_temperature",
    "d2": "2m_dewpoint_temperature",
    "msl": "mean_sea_level_pressure",
    "z500": "geopotential@500",
    "t850": "temperature@850",
    "t50": "temperature@50",
    "q1000": "specific_humidity@1000",
}
NAMES, OURS = list(CHANNELS), list(CHANNELS.values())
ANEMOI = ["10u", "2t", "2d", "msl", "z_500", "t_850", "t_50", "q_1000"]


def stamps(start="2000-12-28", count=COUNT):
    """`count` times from `start`, in seconds since 1970: the usual ones go from a leap year into the next."""
    return np.datetime64(start, "s") + np.arange(count) * np.timedelta64(HOURS, "h")


def fields(count=COUNT, names=NAMES):
    """(time, channel, latitude, longitude) in fp32: a wave with noise, different at every place."""
    random = seeded(5)
    shape = (count, len(names), len(LATITUDES), len(LONGITUDES))
    wave = np.cos(2 * np.deg2rad(LONGITUDES) - 0.3 * np.arange(count)[:, None, None, None])
    return (270 + 5 * wave + random.normal(0, 1, shape)).astype("f4")


def usual(path, data, times=None, names=OURS):
    """Writes the same fields as xarray would, an array a variable."""
    dims = ("time", "latitude", "longitude")
    coordinates = {
        "time": stamps() if times is None else times,
        "latitude": ("latitude", LATITUDES, {"units": "degrees_north"}),
        "longitude": ("longitude", LONGITUDES, {"units": "degrees_east"}),
        "level": ("level", [50, 500, 850, 1000], {"units": "hPa"}),
    }
    arrays = {}
    for i, name in enumerate(names):
        base, _, level = name.partition("@")
        if not level:
            arrays[base] = (dims, data[:, i])
            continue
        whole = arrays.setdefault(base, (("time", "level", *dims[1:]), np.full_like(data[:, [0] * 4], np.nan)))
        whole[1][:, coordinates["level"][1].index(int(level))] = data[:, i]
    xr.Dataset(arrays, coordinates).to_zarr(path, zarr_format=2)
    return path


def recipe_of(folder, path, layout="", variables=OURS):
    """A recipe that trains on `path`."""
    listed = f"variables = {json.dumps(list(variables))}\n"
    return write_recipe(
        folder,
        steps=3,
        replace=[
            ('"synthetic:rows=8,columns=12,variables=6,times=200"', json.dumps(str(path)) + "\n" + listed),
            ('train = ["2001-01-01", "2001-02-04"]', 'train = ["2000-12-28", "2001-01-04"]'),
            ('test = ["2001-02-07", "2001-02-18"]', 'test = ["2001-01-05", "2001-01-06"]'),
            ("batch = 2\n", f"batch = 2\n[data.layout]\n{layout}\n"),
            ("dim = 32\n", "dim = 32\npatch = 3\n"),
        ],
    )


def info(path, *more):
    result = graticule("data", "info", path, "--json", "--missing", *more)
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)
    told["names"] = sorted(variable["name"] for variable in told["variables"])
    told["notes"] = " | ".join(told["notes"])
    return told


def statistics(path, *more, variables=OURS):
    result = graticule("data", "stats", path, "--variables", *variables, *more)
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)
    assert told.pop("source") == str(path)
    return told


def losses(recipe, ranks=1):
    result = graticule("train", recipe, ranks=ranks)
    assert result.returncode == 0, result.stderr
    lines = (recipe.parent / "run" / "metrics.jsonl").read_text().splitlines()
    return [line["loss"] for line in map(json.loads, lines) if "loss" in line]


def expect_equal(tmp_path, path, want, layout="", variables=OURS):
    """`path` has the fields of the usual store `want`: statistics and three steps of training agree bit for bit."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir(parents=True), there.mkdir()
    recipe = recipe_of(here, path, layout, variables)
    told, expected = info(path, "--recipe", recipe), info(want)
    assert told["names"] == sorted(variables) and told["times"] == expected["times"]
    assert told["latitudes"] == expected["latitudes"] and told["longitudes"] == expected["longitudes"]
    assert told["missing"] == {name: expected["missing"][name] for name in variables}
    assert statistics(path, "--recipe", recipe, variables=variables) == statistics(want, variables=variables)
    assert losses(recipe) == losses(recipe_of(there, want, variables=variables))


def refusal(path, *more, code=2):
    result = graticule("data", "info", path, *more)
    assert result.returncode == code, (result.returncode, result.stderr)
    assert result.stderr.startswith("graticule: [") and result.stderr.count("\n") == 1, result.stderr
    return result.stderr


def anemoi(path, data, names=ANEMOI, chunks=None, members=1, columns_first=False, form=2, places=None, **attributes):
    """data: (time, channel, latitude, longitude), or (time, channel, cell) at the latitudes and longitudes `places`.
    Member m of an ensemble is larger by m."""
    cells = np.stack([data.reshape(*data.shape[:2], -1) + np.float32(m) for m in range(members)], axis=2)
    latitudes, longitudes = places or map(np.ravel, np.meshgrid(LATITUDES, LONGITUDES, indexing="ij"))
    if columns_first:
        order = np.arange(latitudes.size).reshape(len(LATITUDES), len(LONGITUDES)).T.ravel()
        cells, latitudes, longitudes = cells[..., order], latitudes[order], longitudes[order]
    group = zarr.open_group(path, mode="w", zarr_format=form)

    def add(name, values, dims, chunks=None):
        blosc = numcodecs.Blosc("lz4", 5, 1) if form == 2 else zarr.codecs.BloscCodec(cname="lz4")
        fill = {"fill_value": np.nan} if name == "data" else {}
        array = group.create_array(
            name, shape=values.shape, dtype=values.dtype, chunks=chunks or values.shape, compressors=[blosc], **fill
        )
        array[:] = values
        array.attrs["_ARRAY_DIMENSIONS"] = dims

    chunks = chunks or (1, cells.shape[1], 1, cells.shape[3])
    add("data", cells, ["time", "variable", "ensemble", "cell"], chunks)
    add("dates", stamps(count=len(data)), ["time"])
    add("latitudes", latitudes, ["cell"])
    add("longitudes", longitudes, ["cell"])
    for name in ("mean", "stdev", "minimum", "maximum"):
        add(name, np.ones(len(names)), ["variable"])
    group.attrs.update(variables=list(names), version="0.22", frequency="6h", missing_dates=[], **attributes)
    return path
