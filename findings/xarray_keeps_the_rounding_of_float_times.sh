#!/bin/sh
# xarray reads hourly times that are stored as 32-bit days as 01:01:52, 01:58:07, ..., without a warning.
#
# Seen with: xarray 2026.9.0 and numpy 2.4.6, PyPI.
# Behaviour: climate models often store times as "days since 1850-01-01" in 32-bit floats. After 150 years such a number
# moves in steps of 5.6 minutes. xarray decodes the rounded number to the nanosecond. So times of an hourly file are up
# to two minutes off, and a selection or a join by time finds only every third hour.
# What to do: take the round time that the number can mean (graticule/data/coordinates.cpp does, within half of the last digit).
# Output seen: "8 of 24 hours are read as they were written; the second one as 2001-01-01T01:01:52.499999744".
# Fails if xarray rounds, or warns.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check xarray==2026.9.0 numpy==2.4.6
venv/bin/python -W error - <<'EOF'
import sys

import numpy as np
import xarray as xr

print("xarray", xr.__version__, "| numpy", np.__version__)
written = np.datetime64("2001-01-01T00", "ns") + np.arange(24) * np.timedelta64(1, "h")
days = (written - np.datetime64("1850-01-01", "ns")) / np.timedelta64(1, "D")
attributes = {"units": "days since 1850-01-01", "calendar": "standard"}
read = xr.decode_cf(xr.Dataset({"time": ("time", days.astype("f4"), attributes)})).time.values
right = int((read == written).sum())
print(right, "of 24 hours are read as they were written; the second one as", read[1])
sys.exit(0 if right == 8 and str(read[1]).startswith("2001-01-01T01:01:52") else 1)
EOF
