"""Tests trained models on other data than their training had: finer grids of one extent, and whole images by tiles.
What the program gives there is what the exported model gives in plain PyTorch."""

import json

import numpy as np
import pytest
import xarray as xr

from command import VARIABLES, graticule, write_recipe
from test_tasks import SMALL, blobs, compare_with_plain_pytorch, predictions, scores, write

exported = pytest.importorskip("graticule.exported")
torch = pytest.importorskip("torch")

TIME = 982_152_000  # 2001-02-14T12


def run_of(recipe, *more):
    result = graticule("train", recipe, *more)
    assert result.returncode == 0, result.stderr
    return recipe.parent / "run"


def field(dataset, name):
    name, _, level = name.partition("@")
    values = dataset[name].sel(level=int(level)) if level else dataset[name]
    return torch.from_numpy(np.squeeze(values.sortby("latitude").transpose(..., "latitude", "longitude").values))


def synthetic(path, rows, columns):
    graticule("data", "synth", path, "--rows", rows, "--columns", columns, "--variables", 6, "--times", 200, check=True)
    return path


@pytest.mark.parametrize(
    ("tokens", "model", "size"),
    [
        ("full", "patch = 2", (16, 24)),
        ("channels", 'patch = 3\nplace = "rotary"', (15, 18)),
        ("full", 'patch = 2\nplace = "added"\nqk_norm = "none"\nqk_variables = false', (4, 6)),
    ],
)
def test_a_forecast_on_finer_and_coarser_points_equals_plain_pytorch(tokens, model, size, tmp_path):
    coarse, fine = synthetic(tmp_path / "coarse.nc", 8, 12), synthetic(tmp_path / "fine.nc", *size)
    replace = [
        ("synthetic:rows=8,columns=12,variables=6,times=200", str(coarse)),
        ("batch = 2", f"batch = 2\n{VARIABLES}"),
        ("dim = 32", f'dim = 32\ntokens = "{tokens}"\n{model}'),
    ]
    run, there = run_of(write_recipe(tmp_path, steps=3, replace=replace)), ("--set", f"data.path={fine}")
    graticule("export", run, tmp_path / "w.safetensors", *there, check=True)
    weights, sizes, statistics = exported.read(tmp_path / "w.safetensors")
    assert (sizes["rows"], sizes["columns"]) == size
    with xr.open_dataset(fine) as data:
        now = data.sel(time="2001-02-14T12")
        physical = torch.stack([field(now, name) for name in sizes["variables"]]).float()
    out = exported.run_model(weights, sizes, exported.normalise(physical, sizes, statistics), 24, TIME)
    for ranks in (1, 2):
        path = tmp_path / f"{ranks}.nc"
        told = graticule("forecast", run, *there, "--init", "2001-02-14T12", "--out", path, ranks=ranks)
        assert told.returncode == 0, told.stderr
        assert told.stderr.count(f"was trained on 8 x 12 points and runs on {size[0]} x {size[1]}") == 1, told.stderr
        with xr.open_dataset(path) as forecast:
            for i, name in enumerate(sizes["variables"]):
                of = statistics["variables"][name]
                ours = physical[i] + out[i] * of["difference_deviation"]["24"]
                error = (ours - field(forecast.isel(time=0, prediction_timedelta=0), name)).abs().max()
                assert error / of["deviation"] < 1e-5, f"{name}: {error}"
    graticule("eval", run, *there, "--samples", 2, check=True)


FINER = [
    ("segment", {}, (8, 2, 20, 28)),
    ("reconstruct", {"task": SMALL, "tokens": "full"}, (8, 2, 7, 21)),
    ("downscale", {"tokens": "full"}, (8, 2, 20, 28)),
    ("segment", {"grid": "volume", "tokens": "full", "patch": "[2, 3, 3]"}, (8, 1, 8, 18, 12)),
]


@pytest.mark.parametrize(("kind", "case", "shape"), FINER, ids=[f"{kind}-{i}" for i, (kind, *_) in enumerate(FINER)])
def test_images_of_finer_pixels_are_predicted_as_by_plain_pytorch(kind, case, shape, tmp_path):
    run, fine = run_of(write(tmp_path / "coarse", kind, **case)), tmp_path / "fine"
    path = finer_images(kind, fine, shape)
    there = ("--set", f"data.path={path}")
    graticule("export", run, tmp_path / "w.safetensors", *there, check=True)
    for ranks in (1, 2):
        (fine / "run").mkdir()
        out = ("--out", fine / "run" / "predictions.zarr")
        result = graticule("predict", run, *there, *out, ranks=ranks)
        assert result.returncode == 0, result.stderr
        assert "finer or coarser pixels of the same extent" in result.stderr, result.stderr
        compare_with_plain_pytorch(kind, case, fine, exported.read(tmp_path / "w.safetensors"))
        (fine / "run").rename(tmp_path / str(ranks))
    graticule("eval", run, *there, check=True)


def finer_images(kind, folder, shape):
    folder.mkdir()
    images = blobs(shape, 1)
    np.save(folder / "image.npy", images[:, 0] if len(shape) == 5 else images)
    if kind != "segment":
        return folder / "image.npy"
    labels = np.digitize(images[:, 0], [0.7, 1.5]).astype("u1")
    np.save(folder / "labels.npy", labels if len(shape) == 5 else labels[:, None])
    return f"{folder / 'image.npy'},{folder / 'labels.npy'}"


TILES = [
    ("segment", {"crop": "crop = [7, 8]"}, (8, 2, 10, 14)),
    ("reconstruct", {"task": SMALL, "grid": "volume", "patch": "[2, 3, 3]"}, (8, 1, 7, 14, 8)),
]


@pytest.mark.parametrize(("kind", "case", "shape"), TILES, ids=["crops", "larger images"])
def test_tiles_cover_whole_images(kind, case, shape, tmp_path):
    run = run_of(write(tmp_path / "small", kind, **case))
    path = finer_images(kind, tmp_path / "large", shape)
    there = ("--set", f"data.path={path}", "--tiles")
    told = {}
    for ranks in (1, 2):
        out = tmp_path / str(ranks)
        out.mkdir()
        graticule("predict", run, *there, "--out", out / "predictions.zarr", ranks=ranks, check=True)
        graticule("eval", run, *there, "--out", out / "scores.json", ranks=ranks, check=True)
        told[ranks] = predictions(out)
    assert told[1].shape[-len(shape) + 2 :] == shape[2:]
    np.testing.assert_allclose(told[2], told[1], rtol=1e-5, atol=1e-5)
    assert scores(tmp_path / "2") == pytest.approx(scores(tmp_path / "1"), rel=1e-4)
    if kind == "segment":
        compare_tiles(run, tmp_path, told[1][0])
    refused = graticule("predict", run, *there, "--set", "model.dim=64")
    assert refused.returncode == 2 and "was trained with" in refused.stderr, refused.stderr


def compare_tiles(run, folder, told):
    """The first tile, whose side of 7 rows begins at row 0 and counts to row 5, half-way through what it shares with
    the next one; and the scores of all."""
    graticule("export", run, folder / "w.safetensors", check=True)
    weights, sizes, statistics = exported.read(folder / "w.safetensors")
    image = torch.from_numpy(np.load(folder / "large" / "image.npy")[5, :, :7, :8])
    ours = exported.segment(weights, sizes, exported.normalise(image, sizes, statistics)).argmax(0)
    np.testing.assert_array_equal(told[0, :5, :7], ours[:5, :7])
    labels = np.load(folder / "large" / "labels.npy")[5:8, 0]
    for c in range(3):
        both, sums = ((told == c) & (labels == c)).sum(), (told == c).sum() + (labels == c).sum()
        expected = 2 * both / sums if sums else 0
        assert scores(folder / "1")[f"class {c}", "dice", "model"] == pytest.approx(expected, rel=1e-6)


def test_what_makes_no_sense_is_refused_in_a_line(tmp_path):
    run = run_of(write_recipe(tmp_path, steps=1))
    with xr.open_dataset(synthetic(tmp_path / "fine.nc", 16, 24)) as fine:
        fine.isel(longitude=slice(0, 12)).to_netcdf(tmp_path / "half.nc")
        fine.isel(latitude=slice(0, 10)).to_netcdf(tmp_path / "south.nc")
    synth = ("--set", "data.path=synthetic:rows=16,columns=24,variables=6,times=200")
    for more, words in (
        (("eval", "--set", f"data.path={tmp_path / 'half.nc'}"), "longitudes reach from"),
        (("eval", "--set", f"data.path={tmp_path / 'south.nc'}"), "latitudes reach from"),
        (("eval", *synth, "--tiles"), 'is a run of task.kind = "forecast": --tiles is for tasks'),
    ):
        command, *rest = more
        result = graticule(command, run, *rest)
        assert result.returncode == 2 and words in result.stderr, result.stderr
        assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    resumed = graticule("train", tmp_path / "recipe.toml", *synth, "--resume", "auto", "--set", "train.steps=2")
    assert resumed.returncode == 2 and "is of another grid" in resumed.stderr, resumed.stderr
    pooled = run_of(write(tmp_path / "pooled", "classify", crop="crop = [7, 8]"))
    result = graticule("predict", pooled, "--tiles")
    assert result.returncode == 2 and 'task.kind = "classify"' in result.stderr, result.stderr
    periodic = run_of(write(tmp_path / "periodic", "segment"))
    result = graticule("eval", periodic, "--tiles")
    assert result.returncode == 2 and "data.periodic, so a tile has edges" in result.stderr, result.stderr
    assert json.loads((run / "checkpoints" / "step-1" / "manifest.json").read_text())["step"] == 1
