#!/bin/sh
# GDAL places every message of a GRIB file on the grid of the first one, and rows from east to west on none at all.
#
# Seen with: rasterio 1.4.4 with GDAL 3.10.3, and eccodes 2.50.0, PyPI.
# Behaviour: a GRIB file may hold messages on several grids; the Climate Data Store gives waves and atmosphere so. GDAL's
# bands have one map, that of the first message. A second message on a region elsewhere is read without a warning,
# as if it lay where the first one lies; one with fewer points is put into the corner, and the rest filled up. With
# iScansNegatively = 1 GDAL turns the rows, but lets the map begin at the eastern end and run eastwards from there.
# What to do: compare the grids of all messages before a file is opened by GDAL (graticule/data/grib_grids.cpp does).
# Output seen: "the second message lies at 60 N, 100 E; GDAL: at 60 N, 10 E", "the rows lie at 10 to 40 E; GDAL: 40 to 70 E".
# Fails if GDAL tells the places right.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check rasterio==1.4.4 eccodes==2.50.0
cat > look.py <<'PYTHON'
import eccodes
import rasterio

print("rasterio", rasterio.__version__, "with GDAL", rasterio.__gdal_version__, "| eccodes", eccodes.codes_get_api_version())


def write(path, mode, west, values, westwards=False):
    handle = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib2")
    ends = (west + 30, west) if westwards else (west, west + 30)
    keys = {"shortName": "2t", "Ni": 4, "Nj": 3, "iScansNegatively": int(westwards)}
    keys |= {"latitudeOfFirstGridPointInDegrees": 60, "latitudeOfLastGridPointInDegrees": 40}
    keys |= {"longitudeOfFirstGridPointInDegrees": ends[0], "longitudeOfLastGridPointInDegrees": ends[1]}
    keys |= {"iDirectionIncrementInDegrees": 10, "jDirectionIncrementInDegrees": 10}
    for key, value in keys.items():
        eccodes.codes_set(handle, key, value)
    eccodes.codes_set_values(handle, values)
    with open(path, mode) as file:
        eccodes.codes_write(handle, file)


write("two.grib", "wb", 10, [280 + i for i in range(12)])
write("two.grib", "ab", 100, [290 + i for i in range(12)])
with rasterio.open("two.grib") as raster:
    second = round(float(raster.read(2)[0, 0]) + 273.15)
    x, y = (round(place) for place in raster.xy(0, 0))
print(f"the second message lies at 60 N, 100 E; GDAL: at {y} N, {x} E", flush=True)
write("rows.grib", "wb", 10, [280 + i for i in range(12)], westwards=True)
with rasterio.open("rows.grib") as raster:
    west, east = (round(raster.xy(0, column)[0]) for column in (0, 3))
    first = round(float(raster.read(1)[0, 0]) + 273.15)
print(f"the rows lie at 10 to 40 E; GDAL: {west} to {east} E", flush=True)
# 283 was stored last in its row, so it belongs to 10 E.
if (second, y, x, west, east, first) != (290, 60, 10, 40, 70, 283):
    raise SystemExit(1)
PYTHON
venv/bin/python look.py
