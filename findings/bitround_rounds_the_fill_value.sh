#!/bin/sh
# A Zarr store that xarray writes with the filter BitRound loses its missing values: they come back as 1.0002e20.
#
# Seen with: xarray 2026.9.0, zarr 3.1.6 and numcodecs 0.16.6, PyPI.
# Behaviour: xarray replaces NaN by `_FillValue` before the filters run. BitRound then rounds that number like any other,
# and the attribute keeps the number before rounding. When the store is read, the two differ, so nothing is missing.
# With CMIP's 1e20 a missing value comes back as a number near 1e20, with -9999 as -10000, and with fp32's largest number
# as infinity. Marks that have few bits, such as -999 with 9 bits or more, survive.
# What to do: round the mark in the same way before the comparison (graticule/data/stored_marks.cpp does). Or write NaN as it is
# (`_FillValue` NaN).
# Output seen: "1e+20 -> 1.00016e+20", "-9999 -> -10000", "3.40282e+38 -> inf", "nan -> nan".
# Fails if a missing value is read as missing.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check xarray==2026.9.0 zarr==3.1.6 numcodecs==0.16.6
venv/bin/python -W ignore - <<'EOF'
import sys

import numcodecs
import numpy as np
import xarray as xr
import zarr

print("xarray", xr.__version__, "| zarr", zarr.__version__, "| numcodecs", numcodecs.__version__)
told = []
for mark in (1e20, -9999, 3.4028235e38, np.nan):
    data = xr.Dataset({"t": ("x", np.array([280, np.nan], "f4"))})
    encoding = {"t": {"filters": [numcodecs.BitRound(9)], "_FillValue": np.float32(mark)}}
    data.to_zarr("store.zarr", mode="w", zarr_format=2, encoding=encoding)
    told.append(f"{np.float32(mark):g} -> {xr.open_zarr('store.zarr').t.values[1]:g}")
    print(told[-1])
sys.exit(told != ["1e+20 -> 1.00016e+20", "-9999 -> -10000", "3.40282e+38 -> inf", "nan -> nan"])
EOF
