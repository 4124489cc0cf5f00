#!/bin/sh
# cfgrib mirrors a GRIB field whose rows run from east to west, and mixes up one that is stored column by column.
#
# Seen with: cfgrib 0.9.15.1, eccodes 2.50.0 and xarray 2026.9.0, PyPI.
# Behaviour: a GRIB message says by flags in which order its points follow each other. cfgrib obeys the flags of latitudes
# (jScansPositively) and of alternating rows, but puts the values of the two others into rows from west to east. With
# iScansNegatively = 1 every value lies at the mirrored longitude, with jPointsAreConsecutive = 1 at another place. There is
# no warning; the attributes GRIB_iScansNegatively and GRIB_jPointsAreConsecutive tell the flags. eccodes itself pairs
# the same values with the right places.
# What to do: turn such messages first (grib_set -s swapScanningX=1), or pair values with eccodes' latitudes and longitudes.
# Output seen: "plain: cfgrib right, eccodes right", "iScansNegatively: cfgrib wrong, eccodes right",
# "jScansPositively: cfgrib right, eccodes right", "jPointsAreConsecutive: cfgrib wrong, eccodes right".
# Fails if cfgrib places them right.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check cfgrib==0.9.15.1 eccodes==2.50.0 xarray==2026.9.0
cat > look.py <<'PYTHON'
import cfgrib
import eccodes
import numpy as np
import xarray as xr

print("cfgrib", cfgrib.__version__, "| eccodes", eccodes.codes_get_api_version(), "| xarray", xr.__version__)
field = np.arange(1.0, 13).reshape(3, 4)  # rows from north to south, columns from west to east
latitudes, longitudes = (60, 50, 40), (10, 20, 30, 40)


def write(name):
    handle = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib2")
    west_first, north_first = name != "iScansNegatively", name != "jScansPositively"
    keys = {"shortName": "2t", "Ni": 4, "Nj": 3, "iDirectionIncrementInDegrees": 10, "jDirectionIncrementInDegrees": 10}
    for end, north, west in (("First", north_first, west_first), ("Last", not north_first, not west_first)):
        keys[f"latitudeOf{end}GridPointInDegrees"] = 60 if north else 40
        keys[f"longitudeOf{end}GridPointInDegrees"] = 10 if west else 40
    if name != "plain":
        keys[name] = 1
    for key, value in keys.items():
        eccodes.codes_set(handle, key, value)
    stored = field[:: 1 if north_first else -1, :: 1 if west_first else -1]
    stored = stored.T if name == "jPointsAreConsecutive" else stored
    eccodes.codes_set_values(handle, np.ascontiguousarray(stored).ravel())
    with open(f"{name}.grib", "wb") as file:
        eccodes.codes_write(handle, file)
    return [eccodes.codes_get_array(handle, key) for key in ("latitudes", "longitudes", "values")]


told = []
for name in ("plain", "iScansNegatively", "jScansPositively", "jPointsAreConsecutive"):
    placed = {(round(north), round(east)): value for north, east, value in zip(*write(name))}
    own = np.array([[placed[north, east] for east in longitudes] for north in latitudes])
    data = xr.open_dataset(f"{name}.grib", engine="cfgrib", backend_kwargs={"indexpath": ""})
    read = data.t2m.sel(latitude=list(latitudes), longitude=list(longitudes)).values
    right = ["right" if np.allclose(values, field, atol=0.01) else "wrong" for values in (read, own)]
    told.append(f"{name}: cfgrib {right[0]}, eccodes {right[1]}")
    print(told[-1], flush=True)
want = ["plain: cfgrib right, eccodes right", "iScansNegatively: cfgrib wrong, eccodes right"]
want += ["jScansPositively: cfgrib right, eccodes right", "jPointsAreConsecutive: cfgrib wrong, eccodes right"]
if told != want:
    raise SystemExit(1)
PYTHON
venv/bin/python -W ignore look.py
