#!/bin/sh
# GDAL opens a GRIB message on a reduced Gaussian grid as an image of a negative width, or not at all.
#
# Seen with: rasterio 1.4.4 with GDAL 3.10.3, and eccodes 2.50.0 (PyPI).
# Behaviour: the rows of such a grid have different numbers of points, so the message's number of points along a row is
# "missing" (all bits set). GDAL takes it for a width: edition 2 opens without an error, -1 pixels wide and 64 high, with
# all tags of its band. Edition 1 is refused with "no raster dataset was successfully identified".
# What to do: look at the grid's template in the message before GDAL does (graticule/data/grib_grids.cpp does); to read
# such data, write them with cfgrib and xarray as NetCDF or Zarr: a list of cells with their coordinates (docs/cells.md).
# Output seen: "edition 1: not opened, edition 2: -1 x 64".
# Fails if GDAL behaves otherwise.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check rasterio==1.4.4 eccodes==2.50.0
cd "$folder"
# In two processes: the libraries of the two packages do not go together.
venv/bin/python - <<'END'
import eccodes

for edition in (1, 2):
    handle = eccodes.codes_grib_new_from_samples(f"reduced_gg_pl_32_grib{edition}")
    with open(f"{edition}.grib", "wb") as file:
        eccodes.codes_write(handle, file)
END
venv/bin/python - <<'END'
import sys
import warnings

import rasterio

warnings.simplefilter("ignore")
print("rasterio", rasterio.__version__, "with GDAL", rasterio.__gdal_version__)
seen = []
for edition in (1, 2):
    try:
        file = rasterio.open(f"{edition}.grib")
        seen.append(f"{file.width} x {file.height}")
    except rasterio.errors.RasterioIOError:
        seen.append("not opened")
print(f"edition 1: {seen[0]}, edition 2: {seen[1]}")
sys.exit(0 if seen == ["not opened", "-1 x 64"] else 1)
END
