#!/bin/sh
# fsspec gives the references of a Parquet folder under wrong keys when they are listed by items().
#
# Seen with: fsspec 2026.9.0, kerchunk 0.2.10, fastparquet 2026.9.0, pandas 3.1.1 and numpy 2.4.6, PyPI.
# Behaviour: kerchunk stores the references of large data sets in Parquet, and fsspec's LazyReferenceMapper reads them as a
# mapping. Its items() pairs two lists that are in different orders: keys come from a set, values from a dictionary. So
# the metadata of one array stand under the name of another, and which one changes from run to run with Python's hash
# seed. No error is raised: `dict(mapper.items())`, the natural way to turn the folder into JSON, writes a reference file
# that describes other arrays.
# What to do: read key by key, `{key: mapper[key] for key in mapper}`, which is right. `graticule` refuses such a folder with a
# line of Python that does this.
# Output seen: "5 of 5 metadata keys have another key's value in items(); read key by key all are right".
# Fails if items() is right.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check fsspec==2026.9.0 kerchunk==0.2.10 fastparquet==2026.9.0 \
  pandas==3.1.1 numpy==2.4.6
PYTHONHASHSEED=0 venv/bin/python -W ignore - <<'EOF'
import json
import sys

import fsspec
from fsspec.implementations.reference import LazyReferenceMapper

print("fsspec", fsspec.__version__)
disk = fsspec.filesystem("file")
written = {".zgroup": b'{"zarr_format":2}'}
for name in ("u", "v"):
    array = {"shape": [1], "chunks": [1], "dtype": "<f4", "compressor": None, "filters": None, "fill_value": None}
    written[f"{name}/.zarray"] = json.dumps(array | {"order": "C", "zarr_format": 2}).encode()
    written[f"{name}/.zattrs"] = json.dumps({"units": name}).encode()
mapper = LazyReferenceMapper.create("folder.parquet", record_size=10, fs=disk)
for key, value in written.items():
    mapper[key] = value
for name in ("u", "v"):
    mapper[f"{name}/0"] = ["data.bin", 0, 4]
mapper.flush()

mapper = LazyReferenceMapper("folder.parquet", fs=disk)
listed = dict(mapper.items())
mixed = sum(json.loads(listed[key]) != json.loads(value) for key, value in written.items())
right = all(json.loads(mapper[key]) == json.loads(value) for key, value in written.items())
print(f"{mixed} of {len(written)} metadata keys have another key's value in items();", end=" ")
print("read key by key all are right" if right else "read key by key some are wrong")
sys.exit(0 if mixed > 0 and right else 1)
EOF
