"""Writes the Zarr store in WeatherBench 2's layout, piece by piece, and the state from which a stopped run continues.

The whole time axis exists from the start. A run that was stopped between a piece and its state writes that piece again,
with the same values. The name of the store ends in .partial until its last piece is written.
"""

import os
import shutil
import sys

import dask.array
import numcodecs
import numpy as np
import xarray as xr

UNITS = {
    "temperature": "K",
    "geopotential": "m**2 s**-2",
    "u_component_of_wind": "m s**-1",
    "v_component_of_wind": "m s**-1",
    "specific_humidity": "kg kg**-1",
    "surface_pressure": "Pa",
    "mean_sea_level_pressure": "Pa",
    "2m_temperature": "K",
    "10m_u_component_of_wind": "m s**-1",
    "10m_v_component_of_wind": "m s**-1",
    "toa_incident_solar_radiation": "J m**-2",
    "land_sea_mask": "(0 - 1)",
    "geopotential_at_surface": "m**2 s**-2",
    "orography": "m",
}
TIMES_A_CHUNK = 8
COMPRESSOR = numcodecs.Blosc(cname="lz4", clevel=5, shuffle=1)


def dataset(fields, axes=None):
    """`fields`: name -> array over the last of time, level, longitude, latitude, by its number of dimensions."""
    names = {2: ("longitude", "latitude"), 3: ("time", "longitude", "latitude")}
    names[4] = ("time", "level", "longitude", "latitude")
    described = {name: (names[field.ndim], field, {"units": UNITS[name]}) for name, field in sorted(fields.items())}
    return xr.Dataset(described, axes)


class WeatherStore:
    def __init__(self, path):
        self.path, self.partial, self.state = path, path + ".partial", path + ".state.npz"

    def begun(self):
        return os.path.exists(self.partial) and os.path.exists(self.state)

    def create(self, shapes, constants, axes, attributes):
        """Makes an empty store for all times of `axes`; `shapes` are those of one time of each field."""
        count = len(axes["time"])
        nothing = np.float32(np.nan)
        fields = {
            name: dask.array.full((count, *shape), nothing, dtype=np.float32, chunks=(TIMES_A_CHUNK, *shape))
            for name, shape in shapes.items()
        }
        made = dataset({**fields, **constants}, axes)
        made.attrs = attributes
        made["longitude"].attrs = {"units": "degrees_east", "standard_name": "longitude"}
        made["latitude"].attrs = {"units": "degrees_north", "standard_name": "latitude"}
        made["level"].attrs = {"units": "hPa", "standard_name": "air_pressure"}
        encoding = {name: {"compressors": (COMPRESSOR,), "_FillValue": nothing} for name in made.data_vars}
        encoding["time"] = {"units": "hours since 1959-01-01", "dtype": "int64", "calendar": "proleptic_gregorian"}
        os.makedirs(os.path.dirname(os.path.abspath(self.path)), exist_ok=True)
        made.to_zarr(self.partial, mode="w", zarr_format=2, consolidated=True, encoding=encoding, compute=False)

    def check(self, times, levels, attributes):
        """Ends the program with a message if the store was begun with other settings."""
        with xr.open_zarr(self.partial) as there:
            same = np.array_equal(there.time, times) and np.array_equal(there.level, levels)
            if not same or there.attrs != attributes:
                sys.exit(f"[gcm] {self.partial} was begun with other settings: give those, or remove it")

    def write(self, first, fields):
        """Writes each field at the times from `first` on."""
        count = len(next(iter(fields.values())))
        dataset(fields).to_zarr(self.partial, region={"time": slice(first, first + count)}, zarr_format=2)

    def save_state(self, state, written):
        """Saves the state and `written`, the number of times in the store. The file is replaced as a whole."""
        arrays = {"tracer_" + name: np.asarray(modal) for name, modal in state.tracers.items()}
        for name in ("vorticity", "divergence", "temperature_variation", "log_surface_pressure", "sim_time"):
            arrays[name] = np.asarray(getattr(state, name))
        with open(self.state + ".new", "wb") as file:
            np.savez(file, written=written, **arrays)
        os.replace(self.state + ".new", self.state)

    def load_state(self, make):
        """Returns the state, made by `make(keyword=...)`, and the number of times written."""
        with np.load(self.state) as arrays:
            tracers = {name[7:]: arrays[name] for name in arrays if name.startswith("tracer_")}
            rest = {name: arrays[name] for name in arrays if name != "written" and not name.startswith("tracer_")}
            return make(tracers=tracers, **rest), int(arrays["written"])

    def finish(self):
        shutil.move(self.partial, self.path)
        os.remove(self.state)
