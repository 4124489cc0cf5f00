"""Tests TIFF files whose numbers or order are not plain: ImageJ's and tifffile's order of pages, scales of bands,
signed bytes, pages of one bit. Against tifffile's and rasterio's own reading."""

import numpy as np
import pytest

from seed import seeded
from test_image_formats import agrees, run, sizes, values

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("imagej", [True, False])
def test_pages_are_times_layers_and_channels(tmp_path, imagej):
    import tifffile

    path, stack = tmp_path / "cells.tif", values(4, 3, 2, 16, 24, dtype="u2")
    tifffile.imwrite(path, stack, imagej=imagej, photometric="minisblack", metadata={"axes": "TZCYX"})
    assert tifffile.TiffFile(path).series[0].axes == "TZCYX"
    wanted = {f"cells_{c}": stack[:, :, c] for c in range(2)}
    info = agrees(path, "volume", wanted)
    assert sizes(info) == [3, 16, 24] and info["times"]["count"] == 4, info
    assert agrees(path, "plane", wanted)["times"]["count"] == 12
    tifffile.imwrite(path, stack[:, 0, 0], imagej=imagej, photometric="minisblack", metadata={"axes": "TYX"})
    assert agrees(path, "plane", {"cells": stack[:, 0, 0]})["times"]["last"] == "sample 0, step 3"


@pytest.mark.parametrize("options", [{"truncate": True}, {"volumetric": True, "tile": (16, 16, 16)}])
def test_planes_without_a_page_are_told(tmp_path, options):
    import tifffile

    path, stack = tmp_path / "stack.tif", values(16, 16, 32)
    tifffile.imwrite(path, stack, photometric="minisblack", **options)
    assert tifffile.imread(path).shape == (16, 16, 32) and len(tifffile.TiffFile(path).pages) == 1
    message = run("info", path, "plane", 2)
    assert "stack.tif holds 16 planes, as tifffile says in its description, but 1 page: " in message, message


@pytest.mark.parametrize("named", [True, False])
def test_each_band_has_its_own_scale(tmp_path, named):
    import rasterio

    path, image = tmp_path / "a.tif", seeded(3).integers(0, 1000, (2, 20, 30)).astype("i2")
    image[1, :2] = -1
    kind = {"driver": "GTiff", "count": 2, "height": 20, "width": 30, "dtype": "int16", "nodata": -1}
    with rasterio.open(path, "w", **kind) as file:
        file.write(image)
        file.scales, file.offsets, file.units = (0.1, 0.5), (0, -100), ("K", "Pa")
        if named:
            file.descriptions = ("a", "b")
    with rasterio.open(path) as file:
        own = [file.read(i + 1, masked=True).filled(-1) * file.scales[i] + file.offsets[i] for i in range(2)]
    own[1][:2] = np.nan
    info = agrees(path, "plane", dict(zip(["a", "b"] if named else ["a_0", "a_1"], own, strict=True)))
    assert [v["units"] for v in info["variables"]] == (["K", "Pa"] if named else ["", ""])


def test_signed_bytes_and_single_bits(tmp_path):
    import tifffile

    signed, mask = values(20, 30).clip(-100, 100).astype("i1") - 90, values(20, 30) > 100
    tifffile.imwrite(tmp_path / "signed.tif", signed)
    tifffile.imwrite(tmp_path / "mask.tif", mask)
    tifffile.imwrite(tmp_path / "white.tif", mask.astype("u1") * 9, photometric="miniswhite")
    assert signed.min() < 0 < signed.max()
    for name in ("signed", "mask", "white"):
        agrees(tmp_path / f"{name}.tif", "plane", {name: tifffile.imread(tmp_path / f"{name}.tif")})
    tifffile.imwrite(tmp_path / "c.ome.tif", np.stack([signed, -signed]), ome=True, metadata={"axes": "CYX"})
    agrees(tmp_path / "c.ome.tif", "plane", {"c.ome_0": signed, "c.ome_1": -signed})


def test_a_compression_that_gdal_lacks_is_named(tmp_path):
    import tifffile

    path = tmp_path / "a.tif"
    tifffile.imwrite(path, values(20, 30, dtype="u2"), compression="zlib")
    data = bytearray(path.read_bytes())
    page = tifffile.TiffFile(path).pages[0]
    place = page.tags["Compression"].valueoffset
    data[place : place + 2] = (50002).to_bytes(2, "little")  # JPEG XL
    path.write_bytes(data)
    message = run("info", path, "plane", 2)
    assert "lacks its compression" in message, message
