#!/bin/sh
# xarray reads every False of a boolean array in Zarr format 2 as missing: True, NaN, True instead of True, False, True.
#
# Seen with: xarray 2026.9.0 and zarr 3.1.6, PyPI.
# Behaviour: in format 2 xarray takes an array's `fill_value` for CF's `_FillValue` (use_zarr_fill_value_as_mask), whatever its
# type. zarr's default for booleans is False. So a mask that zarr wrote comes back as an array of objects with True and
# NaN, and its mean over all values is 1. In format 3 the same mask is read as it was written.
# What to do: write the mask with fill_value=None, or open it with use_zarr_fill_value_as_mask=False, which other variables may
# need. graticule/data/zarr_metadata.cpp takes no fill value of booleans as missing.
# Output seen: "format 2: [True, nan, True]", "format 3: [True, False, True]".
# Fails if False is read as False in format 2.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check xarray==2026.9.0 zarr==3.1.6
cat > look.py <<'PYTHON'
import numpy as np
import xarray as xr
import zarr

print("xarray", xr.__version__, "| zarr", zarr.__version__)
mask, told = np.array([True, False, True]), []
for form in (2, 3):
    axes = {"attributes": {"_ARRAY_DIMENSIONS": ["x"]}} if form == 2 else {"dimension_names": ["x"]}
    zarr.create_array(f"{form}.zarr", name="mask", data=mask, zarr_format=form, **axes)
    read = xr.open_zarr(f"{form}.zarr", consolidated=False, chunks=None)["mask"].values
    told.append(f"format {form}: {read.tolist()}")
    print(told[-1], flush=True)
if told != ["format 2: [True, nan, True]", "format 3: [True, False, True]"]:
    raise SystemExit(1)
PYTHON
venv/bin/python -W ignore look.py
