"""Pictures of fields on cells: each pixel of a map of latitudes and longitudes has the value of the nearest cell, so a
cell is drawn as the area that is nearest to its middle. Pixels far from every cell are empty."""

import numpy as np
import xarray as xr

FINEST, COARSEST = 360, 90  # rows of a picture of the whole sphere


def directions(latitude, longitude):
    """Unit vectors, [..., 3]."""
    north, east = np.deg2rad(latitude), np.deg2rad(longitude)
    return np.stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north) + 0 * east], -1)


def pixels_of(latitude, longitude, spacing):
    """The middles of a picture's pixels, smaller than a cell if they may be: of the sphere, or of a part of it."""
    rows = int(np.clip(np.ceil(1.25 * 180 / spacing), COARSEST, FINEST))
    step = 180 / rows
    north = -90 + step * (np.arange(rows) + 0.5)
    east = step * (np.arange(2 * rows) + 0.5)
    held = np.zeros(2 * rows, bool)
    held[((longitude % 360) / step).astype(int) % (2 * rows)] = True
    wide = max(1, round(2 * spacing / step))
    near = np.any([np.roll(held, shift) for shift in range(-wide, wide + 1)], axis=0)
    return north[(north >= latitude.min() - spacing) & (north <= latitude.max() + spacing)], east[near]


def nearest_cells(latitude, longitude, areas):
    """The picture's latitudes and longitudes, and the number of each pixel's nearest cell, -1 where none is near."""
    spacing = np.rad2deg(np.sqrt(4 * np.pi * areas.sum() / len(areas)))
    north, east = pixels_of(latitude, longitude, spacing)
    far = 3 * spacing
    order = np.argsort(latitude)
    sorted_latitude, cells = latitude[order], directions(latitude, longitude)[order].astype("f4")
    nearest = np.full((len(north), len(east)), -1)
    for row, middle in enumerate(north):
        first, last = np.searchsorted(sorted_latitude, [middle - far, middle + far])
        if first == last:
            continue
        cosine = directions(np.float64(middle), east).astype("f4") @ cells[first:last].T
        best = cosine.argmax(1)
        close = cosine[np.arange(len(east)), best] >= np.cos(np.deg2rad(far))
        nearest[row] = np.where(close, order[first + best], -1)
    return north, east, nearest


def as_picture(fields):
    """A data set on cells -> the same on latitudes and longitudes."""
    earth = 4 * np.pi * 6_371_229.0**2
    count = fields.sizes["cell"]
    areas = fields["cell_area"].values / earth if "cell_area" in fields.coords else np.full(count, 1 / count)
    north, east, nearest = nearest_cells(fields["latitude"].values, fields["longitude"].values, areas)
    number = xr.DataArray(nearest, {"latitude": north, "longitude": east}, ("latitude", "longitude"))
    plain = fields.drop_vars([name for name in fields.coords if fields[name].dims == ("cell",)])
    return plain.isel(cell=number.clip(0)).where(number >= 0).assign_attrs(cells=count)
