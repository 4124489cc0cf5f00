#!/bin/sh
# A virtual data set of HDF5 gives zeros, without an error, where one of its source files was moved.
#
# Seen with: h5py 3.16.0 (HDF5 2.0.0) and netCDF4 1.7.5.1.post1, PyPI.
# Behaviour: a virtual data set joins files, such as one a year, under their paths at the time of writing. When a source
# file is not there, every read of its part succeeds and gives the fill value, 0 by default. NetCDF's library does the
# same. So a climatology or a training over files that were moved or renamed counts years of zeros.
# What to do: list the sources (H5Pget_virtual_filename, h5py: Dataset.virtual_sources()) and require that they exist.
# Output seen: "h5py reads [1.0, 0.0], netCDF4 reads [1.0, 0.0]", after 1.0 and 2.0 were written.
# Fails if a missing source is an error, or if its part is not 0.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check h5py==3.16.0 netCDF4==1.7.5.1.post1 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import os

import h5py
import netCDF4

layout = h5py.VirtualLayout(shape=(2, 3), dtype="f4")
for i, year in enumerate(("2000.h5", "2001.h5")):
    with h5py.File(year, "w") as file:
        file["fields"] = [[i + 1.0] * 3]
    layout[i : i + 1] = h5py.VirtualSource(os.path.abspath(year), "fields", shape=(1, 3))
with h5py.File("all.h5", "w") as file:
    file.create_virtual_dataset("fields", layout)
os.rename("2001.h5", "moved.h5")
one = h5py.File("all.h5")["fields"][:, 0].tolist()
other = netCDF4.Dataset("all.h5")["fields"][:, 0].tolist()
print(f"h5py {h5py.__version__} with HDF5 {h5py.version.hdf5_version}, netCDF4 {netCDF4.__version__}")
print(f"h5py reads {one}, netCDF4 reads {other}")
assert one == other == [1.0, 0.0]
PYTHON
