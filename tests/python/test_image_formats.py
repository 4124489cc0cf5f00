"""Tests files of images as other programs write them, against the reading of these programs: TIFF by rasterio and
tifffile, NIfTI by nibabel, OME-Zarr by zarr, The Well's HDF5 by h5py."""

import json
import re

import numpy as np
import pytest

from command import graticule
from seed import seeded

pytestmark = pytest.mark.filterwarnings("ignore")


def values(*shape, dtype="f4"):
    return (100 + 20 * seeded(7).normal(size=shape)).astype(dtype)


def run(command, path, grid, code=0, layout="", **keys):
    """What `graticule data COMMAND` prints of the path, or the message of its refusal."""
    recipe = path.parent / f"{grid}.toml"
    lines = [f"{key} = {json.dumps(value)}" for key, value in {"path": str(path), "grid": grid, **keys}.items()]
    recipe.write_text("\n".join(["[data]", *lines, layout]) + "\n")
    json_flag = ["--json"] if command == "info" else []
    result = graticule("data", command, path, "--recipe", recipe, *json_flag)
    assert result.returncode == code, (result.returncode, result.stdout, result.stderr)
    if code:
        assert result.stderr.startswith("graticule: [") and result.stderr.count("\n") == 1, result.stderr
        return result.stderr
    return json.loads(result.stdout)


def agrees(path, grid, images, **keys):
    """The variables are those of `images`, name -> all values, with their means and deviations. Returns `data info`."""
    told = run("stats", path, grid, **keys)["variables"]
    assert sorted(told) == sorted(images)
    for name, all_values in images.items():
        wanted = np.asarray(all_values, "f8")
        assert told[name]["mean"] == pytest.approx(np.nanmean(wanted), rel=1e-5), name
        assert told[name]["deviation"] == pytest.approx(np.nanstd(wanted), rel=1e-4), name
        assert told[name]["missing"] == np.isnan(wanted).sum(), name
    return run("info", path, grid, **keys)


def sizes(info):
    return [axis["size"] for axis in info["axes"]]


@pytest.mark.parametrize(
    "options",
    [
        {"compress": "deflate", "predictor": 3, "tiled": True, "blockxsize": 16, "blockysize": 16},
        {"compress": "lzw", "interleave": "pixel"},
        {"driver": "COG", "compress": "zstd", "blocksize": 128},
    ],
)
def test_geotiff_of_several_bands(tmp_path, options):
    import rasterio
    from rasterio.transform import from_origin

    folder = tmp_path / "scenes"
    folder.mkdir()
    scenes = values(3, 2, 37, 50)
    scenes[1, 0, 3:9] = -9999
    place = {"crs": "EPSG:32633", "transform": from_origin(500000, 4000000, 30, 30), "nodata": -9999}
    for i, scene in enumerate(scenes):
        kind = {"driver": "GTiff", "count": 2, "height": 37, "width": 50, "dtype": "float32", **place, **options}
        with rasterio.open(folder / f"scene_{i}.tif", "w", **kind) as file:
            file.write(scene)
            file.descriptions = ("red", "near infrared")
    own = []
    for i in range(3):
        with rasterio.open(folder / f"scene_{i}.tif") as file:
            own.append(file.read(masked=True).filled(np.nan))
    own = np.stack(own)
    assert np.isnan(own).sum() == 300
    info = agrees(folder, "plane", {"red": own[:, 0], "near infrared": own[:, 1]})
    assert sizes(info) == [37, 50] and info["samples"] == [f"scene_{i}.tif" for i in range(3)], info
    rows = info["axes"][0]
    assert (rows["units"], rows["first"], rows["last"]) == ("metre", 4000000 - 15, 4000000 - 15 - 36 * 30), rows


def test_bands_without_names_get_those_of_the_recipe(tmp_path):
    import rasterio

    image = values(3, 20, 30, dtype="u2")
    with rasterio.open(tmp_path / "a.png", "w", driver="PNG", count=3, height=20, width=30, dtype="uint16") as file:
        file.write(image)
    agrees(tmp_path / "a.png", "plane", {f"a_{i}": image[i] for i in range(3)})
    names = '[data.layout]\nnames = ["red", "green", "blue"]'
    told = run("stats", tmp_path / "a.png", "plane", layout=names)["variables"]
    assert told["green"]["mean"] == pytest.approx(image[1].mean())


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_ome_tiff(tmp_path, named, compression):
    import tifffile

    stack = values(4, 2, 5, 16, 24, dtype="u2")
    metadata = {"axes": "TCZYX", **({"Channel": {"Name": ["nuclei", "membrane"]}} if named else {})}
    path = tmp_path / "cells.ome.tif"
    tifffile.imwrite(path, stack, ome=True, metadata=metadata, compression=compression)
    assert tifffile.imread(path).shape == stack.shape
    names = ["nuclei", "membrane"] if named else ["cells.ome_0", "cells.ome_1"]
    info = agrees(path, "volume", {names[c]: stack[:, c] for c in range(2)})
    assert sizes(info) == [5, 16, 24] and info["container"] == "OME-TIFF" and info["times"]["count"] == 4, info


def test_pages_of_a_plain_tiff_are_layers_or_samples(tmp_path):
    import tifffile

    stack = values(6, 16, 24)
    tifffile.imwrite(tmp_path / "stack.tif", stack, photometric="minisblack")
    assert sizes(agrees(tmp_path / "stack.tif", "volume", {"stack": stack})) == [6, 16, 24]
    assert agrees(tmp_path / "stack.tif", "plane", {"stack": stack})["times"]["count"] == 6


@pytest.mark.parametrize("ending", ["nii", "nii.gz"])
@pytest.mark.parametrize("second", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_nifti(tmp_path, ending, second, order):
    import nibabel

    kind = nibabel.Nifti2Image if second else nibabel.Nifti1Image
    (tmp_path / "scans").mkdir()
    scans = values(2, 9, 8, 7, 3)  # x, y, z, t
    for i, scan in enumerate(scans):
        header = kind.header_class(endianness=order)
        header.set_data_dtype(f"{order}i2")
        header.set_xyzt_units("mm", "sec")
        nibabel.save(kind(scan, np.diag([1.5, 2, 3, 1]), header), tmp_path / "scans" / f"{i}.{ending}")
    own = [nibabel.load(tmp_path / "scans" / f"{i}.{ending}") for i in range(2)]
    assert all(image.dataobj.slope != 1 for image in own)
    info = agrees(tmp_path / "scans", "volume", {"scans": [image.get_fdata() for image in own]})
    assert sizes(info) == [7, 8, 9] and info["times"]["count"] == 6, info
    assert [(axis["name"], axis["units"], axis["last"]) for axis in info["axes"]] == [
        ("z", "mm", 18), ("y", "mm", 14), ("x", "mm", 12)
    ]  # fmt: skip


def ome_zarr(path, version, image, labels, names=()):
    """A store as the specification says: two levels, channels with names, and labels."""
    import zarr

    form = 2 if version == "0.4" else 3
    root = zarr.open_group(path, mode="w", zarr_format=form)

    def multiscales(group, levels, axes, **more):
        datasets = []
        for i, level in enumerate(levels):
            shards = {"shards": tuple(2 * n for n in (1, 4, 8, 8)[-level.ndim :])} if form == 3 else {}
            keys = {"chunk_key_encoding": {"name": "v2", "separator": "/"}} if form == 2 else {"dimension_names": axes}
            chunks = (1, 4, 8, 8)[-level.ndim :]
            array = group.create_array(str(i), shape=level.shape, chunks=chunks, dtype=level.dtype, **shards, **keys)
            array[:] = level
            scale = [1.0] * (level.ndim - 2) + [0.25 * 2**i] * 2
            datasets.append({"path": str(i), "coordinateTransformations": [{"type": "scale", "scale": scale}]})
        units = {"c": "channel", "z": "space", "y": "space", "x": "space"}
        all_axes = [{"name": a, "type": units[a], **({} if a == "c" else {"unit": "micrometer"})} for a in axes]
        ome = {"multiscales": [{"axes": all_axes, "datasets": datasets, "version": version}], **more}
        group.attrs.update(ome if form == 2 else {"ome": {"version": version, **ome}})

    halves = [image, image[..., ::2, ::2]]
    omero = {"omero": {"channels": [{"label": name} for name in names]}} if names else {}
    multiscales(root, halves, ["c", "z", "y", "x"], **omero)
    group = root.create_group("labels")
    group.attrs.update({"labels": ["cells"]} if form == 2 else {"ome": {"version": version, "labels": ["cells"]}})
    multiscales(group.create_group("cells"), [labels, labels[..., ::2, ::2]], ["z", "y", "x"])


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_zarr(tmp_path, version):
    image, labels = values(2, 8, 32, 48, dtype="u2"), (values(8, 32, 48) > 100).astype("i4")
    path = tmp_path / "a.ome.zarr"
    ome_zarr(path, version, image, labels, ["DAPI", "GFP"])
    info = agrees(path, "volume", {"DAPI": image[0], "GFP": image[1], "cells": labels})
    assert sizes(info) == [8, 32, 48] and info["axes"][2]["units"] == "micrometer", info
    assert info["axes"][2]["last"] == pytest.approx(47 / 4)
    coarse = {"DAPI": image[0, ..., ::2, ::2], "GFP": image[1, ..., ::2, ::2], "cells": labels[..., ::2, ::2]}
    assert sizes(agrees(path, "volume", coarse, level=1)) == [8, 16, 24]
    message = run("stats", path, "volume", 2, level=2)
    assert "no level 2 of resolution: it has 0 (2 x 8 x 32 x 48), 1 (2 x 8 x 16 x 24)" in message
    (tmp_path / "many").mkdir()
    for i in range(2):
        ome_zarr(tmp_path / "many" / f"{i}.zarr", version, image, labels + i)
    both = {"image_0": image[[0, 0]], "image_1": image[[1, 1]], "cells": np.stack([labels, labels + 1])}
    assert agrees(tmp_path / "many", "volume", both)["samples"] == ["0.zarr", "1.zarr"]


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_axes_of_ome_zarr_are_known_by_their_types(tmp_path, version):
    image, path = values(2, 8, 32, 48, dtype="u2"), tmp_path / "a.ome.zarr"
    ome_zarr(path, version, image, (image[0] > 100).astype("i4"))
    metadata = path / (".zattrs" if version == "0.4" else "zarr.json")
    text = metadata.read_text()
    for name, ours in (("c", "stain"), ("z", "depth")):
        text = text.replace(f'"name": "{name}"', f'"name": "{ours}"')
    metadata.write_text(text)
    wanted = {"image_0": image[0], "image_1": image[1], "cells": (image[0] > 100).astype("i4")}
    assert agrees(path, "volume", wanted)["axes"][0]["name"] == "depth"


def write_well(path, trajectories, seed=0):
    """As The Well's writers do: fields of order 0, 1 and 2, constants, and boundary conditions."""
    import h5py

    t, space = 6, (8, 10)
    fields = {
        "density": ("t0", (trajectories, t, *space), {}),
        "height": ("t0", space, {"sample_varying": False, "time_varying": False}),
        "velocity": ("t1", (trajectories, t, *space, 2), {}),
        "strain": ("t2", (trajectories, t, *space, 2, 2), {"symmetric": True}),
        "D": ("t2", (trajectories, t, *space, 2, 2), {}),
    }
    data = {}
    with h5py.File(path, "w") as file:
        file.attrs.update(dataset_name="waves", grid_type="cartesian", n_spatial_dims=2, n_trajectories=trajectories)
        file.attrs["simulation_parameters"] = ["Re"]
        dimensions = file.create_group("dimensions")
        dimensions.attrs["spatial_dims"] = ["x", "y"]
        for name, values_of in (("time", np.arange(t)), ("x", np.arange(8) / 8), ("y", np.arange(10) / 10)):
            dimensions.create_dataset(name, data=values_of.astype("f4")).attrs["sample_varying"] = False
        file.create_group("scalars").create_dataset("Re", data=100.0)
        for order in ("t0", "t1", "t2"):
            file.create_group(f"{order}_fields").attrs["field_names"] = [n for n, f in fields.items() if f[0] == order]
        for name, (order, shape, attributes) in fields.items():
            data[name] = values(*shape) + len(name) + (0 if name == "height" else seed)
            if name == "strain":
                data[name][..., 1, 0] = data[name][..., 0, 1]
            array = file[f"{order}_fields"].create_dataset(name, data=data[name])
            array.attrs.update({"sample_varying": True, "time_varying": True, **attributes})
            array.attrs["dim_varying"] = [True, True]
        for axis, kind in (("x", "PERIODIC"), ("y", "WALL")):
            group = file.create_group(f"boundary_conditions/{axis}_bc")
            group.attrs.update(bc_type=kind, sample_varying=False, time_varying=False)
            group.attrs["associated_dims"] = [axis]
            group.create_dataset("mask", data=np.ones(10, bool))
    return data


def test_the_well(tmp_path):
    (tmp_path / "train").mkdir()
    parts = [write_well(tmp_path / "train" / f"{i}.hdf5", 2 + i, i) for i in range(2)]
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    wanted = {"density": joined["density"]}
    wanted |= {f"velocity_{a}": joined["velocity"][..., i] for i, a in enumerate("xy")}
    wanted |= {f"strain_{a}": joined["strain"][..., i, j] for a, i, j in (("xx", 0, 0), ("xy", 0, 1), ("yy", 1, 1))}
    wanted |= {f"D_{a}{b}": joined["D"][..., i, j] for i, a in enumerate("xy") for j, b in enumerate("xy")}
    one = tmp_path / "train" / "0.hdf5"
    alone = {name: field[:2] for name, field in wanted.items()} | {"height": parts[0]["height"]}
    info = agrees(one, "plane", alone)
    assert sizes(info) == [8, 10] and info["times"]["count"] == 12 and info["axes"][1]["last"] == pytest.approx(0.9)
    notes = " | ".join(info["notes"])
    assert "boundaries: x PERIODIC, y WALL" in notes, notes
    assert {v["name"] for v in info["variables"] if v["constant"]} == {"height"}
    listed = ["density", "velocity_x"]
    told = run("info", tmp_path / "train", "plane", variables=listed)
    assert told["times"]["count"] == 30


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_zarr_stays_in_its_folder(tmp_path, version):
    for name in ("inside", "outside"):
        ome_zarr(tmp_path / name, version, values(2, 8, 32, 48, dtype="u2"), values(8, 32, 48).astype("i4"))
    attributes = tmp_path / "inside" / (".zattrs" if version == "0.4" else "zarr.json")
    text = attributes.read_text()
    for change in ("../outside/0", "0/../../outside/0"):
        attributes.write_text(re.sub('"path": "0"', f'"path": "{change}"', text))
        message = run("info", tmp_path / "inside", "volume", 2)
        assert change in message and "which is not in its folder" in message


def test_images_that_are_refused(tmp_path):
    import nibabel
    import rasterio
    import tifffile

    def tiff(name, image, **options):
        tifffile.imwrite(tmp_path / name, image, **options)
        return tmp_path / name

    table = np.zeros((3, 256), "u2")
    path = tiff("palette.tif", values(8, 8, dtype="u1"), photometric="palette", colormap=table)
    assert "a table of colours" in run("stats", path, "plane", 2)
    path = tiff("complex.tif", values(8, 8).astype("c8"))
    assert "complex numbers" in run("stats", path, "plane", 2)
    with rasterio.open(tmp_path / "a.png", "w", driver="PNG", count=4, height=8, width=9, dtype="uint8") as file:
        file.write(values(4, 8, 9, dtype="u1"))
    told = run("info", tmp_path / "a.png", "plane")
    assert len(told["variables"]) == 3 and "band 4 is opacity" in " ".join(told["notes"]), told
    for name, second, words in (
        ("sizes", values(9, 8), "is 9 x 8, but"),
        ("depths", values(8, 8, dtype="u2"), "has 8 bits in"),
    ):
        (tmp_path / name).mkdir()
        tiff(f"{name}/0.tif", values(8, 8, dtype="u1"))
        tiff(f"{name}/1.tif", second)
        assert words in run("stats", tmp_path / name, "plane", 2)
    nibabel.save(nibabel.Nifti1Pair(values(4, 4, 4), np.eye(4)), tmp_path / "pair.hdr")
    (tmp_path / "pair.hdr").rename(tmp_path / "pair.nii")
    assert "one of a pair" in run("stats", tmp_path / "pair.nii", "volume", 2)
    (tmp_path / "text.nii").write_bytes(b"text" * 200)
    assert "no NIfTI file" in run("stats", tmp_path / "text.nii", "volume", 2)


@pytest.mark.parametrize("name", ["page.tif", "pages.tif", "a.nii", "a.nii.gz"])
def test_images_that_are_cut_off(tmp_path, name):
    import nibabel
    import tifffile

    path, image = tmp_path / name, values(12, 64, 64)
    if name.endswith(".tif"):
        pages = image if name == "pages.tif" else image.reshape(192, 256)
        tifffile.imwrite(path, pages, compression="zlib", photometric="minisblack")
    else:
        nibabel.save(nibabel.Nifti1Image(image, np.eye(4)), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    message = run("stats", path, "plane" if name == "page.tif" else "volume", 1)
    assert name in message and "damaged" in message
