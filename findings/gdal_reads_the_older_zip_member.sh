#!/bin/sh
# GDAL's file system for zip archives reads the older of two members of one name; Python reads the newer.
#
# Seen with: rasterio 1.4.3 with GDAL 3.9.3, and zarr 3.1.6 (PyPI).
# Behaviour: a zip archive may have two members of one name, as a writer that changes its mind appends. Python's zipfile
# reads the newer one. zarr-python's ZipStore writes such pairs whenever something is changed after it was written (a
# chunk, attributes). GDAL's /vsizip/ reads the older one, without an error: a store that was changed has old values.
# What to do: read the directory of the archive, and let the later member count (graticule/data/zip_store.cpp does).
# Output seen: "of the values 1 (older) and 2 (newer), Python reads 2 and GDAL reads 1".
# Fails if zarr-python writes no pair any more, or if the two read the same.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check rasterio==1.4.3 zarr==3.1.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import sys
import warnings
import zipfile

import rasterio
import zarr

warnings.simplefilter("ignore")
print("rasterio", rasterio.__version__, "with GDAL", rasterio.__gdal_version__, "| zarr", zarr.__version__)

# zarr-python writes a pair when a value is changed.
with zarr.storage.ZipStore("store.zip", mode="w") as store:
    array = zarr.create_array(store, name="a", shape=1, dtype="f4")
    array[:] = 1
    array[:] = 2
with zipfile.ZipFile("store.zip") as archive:
    names = archive.namelist()
pair = names.count("a/c/0")
print("zarr wrote the chunk a/c/0", pair, "times")

# The same pair as a raster, which GDAL and Python both read.
grid = "ncols 1\nnrows 1\nxllcorner 0\nyllcorner 0\ncellsize 1\n{}\n"
with zipfile.ZipFile("raster.zip", "w") as archive:
    for value in (1, 2):
        archive.writestr("a.asc", grid.format(value))
with zipfile.ZipFile("raster.zip") as archive:
    python = int(archive.read("a.asc").split()[-1])
with rasterio.open("/vsizip/raster.zip/a.asc") as raster:
    gdal = int(raster.read(1)[0, 0])
print("of the values 1 (older) and 2 (newer), Python reads", python, "and GDAL reads", gdal)
sys.exit(0 if (pair, python, gdal) == (2, 2, 1) else 1)
EOF
