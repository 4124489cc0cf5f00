#!/bin/sh
# ecCodes turns 280 K into 40,000 when a message of GRIB edition 2 is packed again by grid_second_order.
#
# Seen with: eccodes 2.50.0, PyPI.
# Behaviour: `grib_set -r -s packingType=grid_second_order`, or the key set in Python, gives a message that says it is packed
# so and that decodes without an error, but to other values: up to 40,000 more for a smooth field of 260 to 300 K. The same
# command in edition 1 changes nothing. Other packings of edition 2 keep the values.
# What to do: use grid_complex_spatial_differencing or grid_ccsds in edition 2, and compare the values after packing.
# Output seen: "edition 1: largest change 0", "edition 2: largest change 40660".
# Fails if edition 2 keeps the values, or refuses the packing.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check eccodes==2.50.0
cat > look.py <<'PYTHON'
import eccodes
import numpy as np

print("eccodes", eccodes.codes_get_api_version())
rows, columns = np.linspace(0, 6, 181), np.linspace(0, 12, 360)
field = 280 + 20 * np.cos(rows)[:, None] * np.cos(columns)
change = {}
for edition in (1, 2):
    handle = eccodes.codes_grib_new_from_samples(f"regular_ll_sfc_grib{edition}")
    for key, value in {"Ni": 360, "Nj": 181, "bitsPerValue": 16}.items():
        eccodes.codes_set(handle, key, value)
    eccodes.codes_set_values(handle, field.ravel())
    before = eccodes.codes_get_values(handle)
    eccodes.codes_set(handle, "packingType", "grid_second_order")
    packed = eccodes.codes_new_from_message(eccodes.codes_get_message(handle))
    assert eccodes.codes_get(packed, "packingType") == "grid_second_order"
    change[edition] = float(np.abs(eccodes.codes_get_values(packed) - before).max())
    print(f"edition {edition}: largest change {change[edition]:.0f}", flush=True)
if change[1] != 0 or change[2] < 1000:
    raise SystemExit(1)
PYTHON
venv/bin/python look.py
