"""Forecast and truth of a run as small arrays for the maps of the report's page, and their spectra.

An array is sent as one byte a pixel, as many steps as a colour scale has: 0 where there is no value, else
1 + round(254 (x - low) / (high - low)). The bytes are compressed (zlib) and written as base64 text. page/maps.js
reads them.
"""

import base64
import json
import zlib

import numpy as np

from graticule import run_files
from graticule.run_files import MissingError

FIELD_BYTES = 8_000_000  # of maps and spectra of a page, as text: with the drawing program it stays below 15 MB
COAST = "land_sea_mask"


def packed(values):
    """[lead, latitude, longitude] as text, with the range that its bytes stand for."""
    known = np.isfinite(values)
    low, high = (float(values[known].min()), float(values[known].max())) if known.any() else (0.0, 0.0)
    scaled = 1 + np.rint(254 * (np.where(known, values, low) - low) / ((high - low) or 1))
    codes = np.where(known, scaled, 0).astype("u1")
    return {"low": low, "high": high, "text": base64.b64encode(zlib.compress(codes.tobytes(), 6)).decode()}


def colour_range(values):
    """The range of the colours: without the outermost hundredth of the pixels."""
    low, high = np.nanpercentile(values, [0.5, 99.5]) if np.isfinite(values).any() else (0.0, 1.0)
    return [float(low), float(high)]


def spectra(values, latitude):
    """Power by zonal wavenumber 1, 2, ... for each lead, [lead][wavenumber]: the mean over rows by their area. None
    where a row has no complete circle of values."""
    count = values.shape[-1]
    power = 2 * np.abs(np.fft.rfft(values, axis=-1)[..., 1 : count // 2 + 1]) ** 2 / count**2
    whole = np.isfinite(values).all(axis=(0, 2))
    if not whole.any():
        return None
    weights = np.cos(np.deg2rad(latitude[whole]))
    mean = np.average(power[:, whole], axis=1, weights=weights)
    return [[float(f"{value:.3g}") for value in row] for row in mean]


def goes_round(longitude):
    """Whether the columns are a whole circle, so that waves along it exist."""
    return len(longitude) > 3 and abs(len(longitude) * (longitude[1] - longitude[0]) - 360) < 1e-3 * 360


class Fields:
    """The first forecast of a run folder, with its truth. MissingError: there is none that can be shown."""

    def __init__(self, run):
        paths = [run_files.find_fields(run, stem, None) for stem in ("forecast", "truth")]
        forecast, truth = (run_files.open_fields(path) for path in paths)
        self.leads = forecast["prediction_timedelta"].values
        self.time = forecast["time"].values[0]
        self.latitude, self.longitude = forecast["latitude"].values, forecast["longitude"].values
        for dim in ("prediction_timedelta", "latitude", "longitude"):
            if not np.array_equal(forecast[dim].values, truth[dim].values):
                raise MissingError(f"[report] {paths[1]} has another {dim} than {paths[0]}: make both with one command")
        names = set(run_files.variable_names(truth))
        self.names = [name for name in run_files.variable_names(forecast) if name in names]
        self.both, self.path = (forecast, truth), paths[0]
        self.cells = forecast.attrs.get("cells")  # the pixels are pictures of so many cells, and have no spectrum

    def values(self, name):
        """Forecast and truth, [lead, latitude, longitude] each."""
        return [
            run_files.select(fields, name)
            .sel(time=self.time)
            .transpose("prediction_timedelta", "latitude", "longitude")
            .values.astype("f8")
            for fields in self.both
        ]

    def units(self, name):
        return str(run_files.select(self.both[0], name).attrs.get("units", ""))


def coarser(values, step):
    """Means over `step` x `step` pixels; what does not fill such a square is left out."""
    if step == 1:
        return values
    leads, rows, columns = values.shape
    values = values[:, : rows // step * step, : columns // step * step]
    return values.reshape(leads, rows // step, step, columns // step, step).mean(axis=(2, 4))


def variable_maps(fields, name, step):
    forecast, truth = (coarser(values, step) for values in fields.values(name))
    limit = float(np.abs(colour_range(forecast - truth)).max()) or 1.0
    return {
        "units": fields.units(name),
        "range": colour_range(np.stack([forecast, truth])),
        "limit": limit,
        "forecast": packed(forecast),
        "truth": packed(truth),
        "error": packed(forecast - truth),
    }


def variable_spectra(fields, name):
    both = [spectra(values, fields.latitude) for values in fields.values(name)]
    return dict(zip(("forecast", "truth"), both, strict=True)) if all(both) else None


def coordinate(values, step):
    kept = values[: len(values) // step * step].reshape(-1, step).mean(axis=1)
    return [round(float(value), 4) for value in kept]


def size_of(maps):
    return sum(len(part["text"]) for of in maps.values() for part in of.values() if isinstance(part, dict))


def read_maps(run, targets, byte_limit):
    """The maps of a run for the page: all targets, coarser until their text is within `byte_limit` with the spectra."""
    fields = Fields(run)
    names = [name for name in fields.names if name in targets]
    if not names:
        raise MissingError(f"[report] {fields.path} has none of the recipe's targets: make it with graticule forecast")
    circles = goes_round(fields.longitude) and not fields.cells
    waves = {name: variable_spectra(fields, name) for name in names} if circles else {}
    byte_limit -= len(json.dumps(waves))
    for step in range(1, len(fields.latitude) + 1):
        maps = {name: variable_maps(fields, name, step) for name in names}
        if size_of(maps) <= byte_limit:
            break
    coast = coarser(fields.values(COAST)[1][:1], step)[0] if COAST in fields.names else None
    return {
        "time": np.datetime_as_string(fields.time, unit="m").replace("T", " ") + " UTC",
        "leads": [float(lead / np.timedelta64(1, "h")) for lead in fields.leads],
        "latitude": coordinate(fields.latitude, step),
        "longitude": coordinate(fields.longitude, step),
        "pixels_a_side": step,
        "coast": np.nan_to_num(np.round(coast, 3)).tolist() if coast is not None else None,
        "variables": maps,
        "spectra": waves,
    }
