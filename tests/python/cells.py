"""Fields on cells, as other programs write them: HEALPix stores by xarray, the grid of a reduced Gaussian field by
eccodes."""

import astropy_healpix
import eccodes
import numpy as np
import xarray as xr

from command import write_text
from seed import seeded

HOURS, COUNT = 6, 60


def times(count=COUNT):
    return np.datetime64("2001-01-01", "ns") + np.arange(count) * np.timedelta64(HOURS, "h")


def healpix(nside, order="nested"):
    """Latitudes and longitudes of all cells, in degrees."""
    east, north = astropy_healpix.healpix_to_lonlat(np.arange(12 * nside**2), nside, order=order)
    return north.deg, east.deg


def reduced_gaussian(n, octahedral=True):
    """Latitudes and longitudes of the cells of a GRIB message, from the north, in degrees."""
    handle = eccodes.codes_grib_new_from_samples("reduced_gg_pl_32_grib2")
    if octahedral:
        half = 20 + 4 * np.arange(n)
        eccodes.codes_set(handle, "N", n), eccodes.codes_set(handle, "Nj", 2 * n)
        eccodes.codes_set_array(handle, "pl", [int(count) for count in (*half, *half[::-1])])
        first = np.rad2deg(np.arcsin(np.polynomial.legendre.leggauss(2 * n)[0][-1]))
        for name, degrees in (("First", first), ("Last", -first)):
            eccodes.codes_set(handle, f"latitudeOf{name}GridPointInDegrees", float(degrees))
        eccodes.codes_set(handle, "longitudeOfLastGridPointInDegrees", 360 - 360 / int(half[-1]))
        eccodes.codes_set_values(handle, np.zeros(int(2 * half.sum())))
    places = [eccodes.codes_get_array(handle, name) for name in ("latitudes", "longitudes")]
    eccodes.codes_release(handle)
    return places


def fields(latitude, longitude, names, count=COUNT):
    """(time, channel, cell) in fp32: waves that travel east, with noise."""
    random = seeded(7)
    hour = HOURS * np.arange(count)[:, None, None]
    channel = np.arange(len(names))[:, None]
    east, up = np.deg2rad(longitude), np.sin(np.deg2rad(latitude))
    wave = np.cos((1 + channel % 3) * east - 2 * np.pi * hour / 120) * (1 - up**2)
    return (280 + 10 * channel - 30 * up**2 + 8 * wave + random.normal(0, 0.3, wave.shape)).astype("f4")


def dataset(latitude, longitude, names=("2m_temperature", "mean_sea_level_pressure"), places=True, dimension="cell"):
    """A data set of xarray with a constant land_sea_mask; with the places of the cells unless `places` is False."""
    data = fields(latitude, longitude, names)
    arrays = {name: (("time", dimension), data[:, i]) for i, name in enumerate(names)}
    arrays["land_sea_mask"] = (dimension, (np.sin(np.deg2rad(longitude * 2)) > 0).astype("f4"))
    coordinates = {"time": times()}
    if places:
        coordinates["latitude"] = (dimension, latitude, {"units": "degrees_north"})
        coordinates["longitude"] = (dimension, longitude, {"units": "degrees_east"})
    return xr.Dataset(arrays, coordinates)


def with_mapping(data, **attributes):
    """The same with a variable `crs` of attributes, as km-scale stores have it."""
    crs = xr.DataArray(np.int32(0), attrs={"grid_mapping_name": "healpix", **attributes})
    return data.assign_coords(crs=crs)


RECIPE = """
[data]
path = "{path}"
grid = "cells"
lead_hours = 24
train = ["2001-01-01", "2001-01-10"]
valid = ["2001-01-11", "2001-01-11"]
test = ["2001-01-12", "2001-01-15"]
batch = 2
[model]
patch = {patch}
dim = 32
depth = 2
heads = 2
place = "{place}"
qk_norm = "cosine"
calendar = false
[train]
steps = {steps}
warmup = 2
lr = 2e-3
threads = 1
[run]
out = "{out}"
"""


def write_recipe(folder, path, patch=4, steps=4, place="added", replace=()):
    text = RECIPE.format(path=path, patch=patch, steps=steps, place=place, out=folder / "run")
    return write_text(folder, text, replace)
