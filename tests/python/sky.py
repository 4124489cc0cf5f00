"""A small atmosphere in xarray. Tests write it to files as other programs would."""

import numpy as np
import xarray as xr

from seed import seeded

LATITUDES, LONGITUDES = np.linspace(-78.75, 78.75, 8), np.arange(12) * 30.0
START = np.datetime64("2001-01-01", "ns")


def times(count, step=6, start=START):
    return start + np.arange(count) * np.timedelta64(step, "h")


def sky(count=8, latitudes=LATITUDES, longitudes=LONGITUDES):
    """`t2m` in K and `msl` in Pa at `count` times, six hours apart."""
    random = seeded(3)
    wave = 6 * np.cos(2 * np.deg2rad(longitudes)[None, None] - 0.3 * np.arange(count)[:, None, None])
    shape = (count, len(latitudes), len(longitudes))

    def field(base, scale):
        return (base + scale * wave + random.normal(0, scale / 20, shape)).astype("f4")

    dims = ("time", "latitude", "longitude")
    return xr.Dataset(
        {"t2m": (dims, field(280, 1), {"units": "K"}), "msl": (dims, field(1e5, 90), {"units": "Pa"})},
        coords={
            "time": times(count),
            "latitude": ("latitude", latitudes, {"units": "degrees_north"}),
            "longitude": ("longitude", longitudes, {"units": "degrees_east"}),
        },
    )


def level_of(data, values=(500.0, 850.0), **attributes):
    """`t` and `z` on a level axis with these attributes."""
    upper = data[["t2m"]].rename(t2m="t").expand_dims(lev=list(values)).transpose("time", "lev", ...)
    upper.lev.attrs = attributes
    return upper.assign(z=(upper.t * 200).assign_attrs(units="m2 s-2"))
