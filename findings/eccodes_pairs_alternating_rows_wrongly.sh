#!/bin/sh
# ecCodes gives every second row of a GRIB field mirrored longitudes when its rows alternate in direction.
#
# Seen with: eccodes 2.50.0, and rasterio 1.4.4 with GDAL 3.10.3, PyPI.
# Behaviour: with alternativeRowScanning = 1 (flag table 3.4, bit 4) adjacent rows run in opposite directions. eccodes'
# arrays "latitudes" and "longitudes" belong to the array "values" index by index, and so do the lines of grib_get_data. But
# the longitudes always run eastwards, while the values stay as they are stored. GDAL turns every second row, as the flag
# says, and so does ECMWF's own cfgrib. There is no warning.
# What to do: turn the rows of odd numbers before they are paired with eccodes' places.
# Output seen: "stored 1 2 3 4, then 8 7 6 5 from the east", "GDAL: 5 at 10 E in the second row, eccodes: 8".
# Fails if the two agree.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check eccodes==2.50.0 rasterio==1.4.4
cat > look.py <<'PYTHON'
import eccodes
import rasterio

print("eccodes", eccodes.codes_get_api_version(), "| rasterio", rasterio.__version__, "GDAL", rasterio.__gdal_version__)
handle = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib2")
keys = {"shortName": "lsm", "Ni": 4, "Nj": 3, "alternativeRowScanning": 1}
keys |= {"latitudeOfFirstGridPointInDegrees": 60, "latitudeOfLastGridPointInDegrees": 40}
keys |= {"longitudeOfFirstGridPointInDegrees": 10, "longitudeOfLastGridPointInDegrees": 40}
keys |= {"iDirectionIncrementInDegrees": 10, "jDirectionIncrementInDegrees": 10}
for key, value in keys.items():
    eccodes.codes_set(handle, key, value)
print("stored 1 2 3 4, then 8 7 6 5 from the east")
eccodes.codes_set_values(handle, [1, 2, 3, 4, 8, 7, 6, 5, 9, 10, 11, 12])
with open("rows.grib", "wb") as file:
    eccodes.codes_write(handle, file)
arrays = [eccodes.codes_get_array(handle, key) for key in ("latitudes", "longitudes", "values")]
placed = {(round(north), round(east)): round(value) for north, east, value in zip(*arrays)}
with rasterio.open("rows.grib") as raster:
    gdal = round(float(raster.read(1)[raster.index(10, 50)]))
print("GDAL:", gdal, "at 10 E in the second row, eccodes:", placed[50, 10], flush=True)
if (gdal, placed[50, 10]) != (5, 8):
    raise SystemExit(1)
PYTHON
venv/bin/python look.py
