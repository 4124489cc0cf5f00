#!/bin/sh
# GDAL names the pressure level of a GRIB message "850-ISBL" in edition 1 and "85000-ISBL" in edition 2.
#
# Seen with: rasterio 1.4.3 with GDAL 3.9.3, and eccodes 2.50.0 (PyPI); also GDAL 3.6 of Debian 12.
# Behaviour: the band's item GRIB_SHORT_NAME has the level as the edition stores it: in hPa for edition 1, in Pa for
# edition 2. Nothing beside it says which. So a program that reads one edition takes the levels of the other for ones
# that are 100 times higher or lower, and 1000-ISBL may be 1000 hPa or 10 hPa.
# What to do: look for GRIB_DISCIPLINE, which only edition 2 has (graticule/data/grib.cpp does).
# Output seen: "edition 1: 850-ISBL, edition 2: 85000-ISBL".
# Fails if both editions give the same.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check rasterio==1.4.3 eccodes==2.50.0
cd "$folder"
# In two processes: the libraries of the two packages do not go together.
venv/bin/python - <<'EOF'
import eccodes

for edition in (1, 2):
    handle = eccodes.codes_grib_new_from_samples(f"regular_ll_pl_grib{edition}")
    eccodes.codes_set(handle, "shortName", "t")
    eccodes.codes_set(handle, "level", 850)
    with open(f"{edition}.grib", "wb") as file:
        eccodes.codes_write(handle, file)
EOF
venv/bin/python - <<'EOF'
import sys
import warnings

import rasterio

warnings.simplefilter("ignore")
print("rasterio", rasterio.__version__, "with GDAL", rasterio.__gdal_version__)
levels = [rasterio.open(f"{edition}.grib").tags(1)["GRIB_SHORT_NAME"] for edition in (1, 2)]
print(f"edition 1: {levels[0]}, edition 2: {levels[1]}")
sys.exit(0 if levels == ["850-ISBL", "85000-ISBL"] else 1)
EOF
