"""Reads a safetensors file into Python numbers with the standard library alone and writes those numbers to another.

Usage: plain_safetensors.py IN OUT. OUT lists the tensors in reverse order and keeps the metadata.
"""

import json
import struct
import sys
from pathlib import Path

CODES = {"F64": "d", "F32": "f", "F16": "e", "BF16": "H", "I64": "q", "I32": "i", "I16": "h", "I8": "b", "U8": "B"}


def read(path):
    content = Path(path).read_bytes()
    (length,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, form in header.items():
        begin, end = form["data_offsets"]
        code = CODES[form["dtype"]]
        assert (8 + length + begin) % struct.calcsize(code) == 0, "not aligned"
        count = (end - begin) // struct.calcsize(code)
        values = struct.unpack_from(f"<{count}{code}", content, 8 + length + begin)
        tensors[name] = (form["dtype"], form["shape"], values)
    return tensors, metadata


def write(path, tensors, metadata):
    header, data = {}, b""
    for name, (dtype, shape, values) in reversed(tensors.items()):
        begin = len(data)
        data += struct.pack(f"<{len(values)}{CODES[dtype]}", *values)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, len(data)]}
    text = json.dumps(header | {"__metadata__": metadata}).encode()
    Path(path).write_bytes(struct.pack("<Q", len(text)) + text + data)


write(sys.argv[2], *read(sys.argv[1]))
