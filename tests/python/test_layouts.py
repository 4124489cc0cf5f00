"""Tests layouts with ranks as processes: training, checkpoints and scores equal those of one rank."""

import json

import pytest

from command import graticule, write_recipe

LAYOUTS = {
    "ulysses": (2, "ulysses = 2\nhead_groups = 2"),
    "lss": (2, "context = 2\ngather_heads = 1"),
    "ring": (2, 'context = 2\ncontext_method = "ring"'),
    "mesh": (4, 'context = 4\ncontext_method = "mesh"'),
    "mesh in ulysses": (8, 'context = 4\ncontext_method = "mesh"\nulysses = 2\nshard = "full"'),
    "tensor": (2, "tensor = 2"),
    "pipeline": (2, 'pipeline = 2\nmicro_batches = 2\nschedule = "zero_bubble"'),
    "interleaved": (2, 'pipeline = 2\nchunks = 2\nmicro_batches = 2\nschedule = "interleaved"'),
    "hybrid": (4, 'context = 2\ncontext_method = "ring"\nulysses = 2\nshard = "full"'),
    "tensor in stages": (4, 'pipeline = 2\ntensor = 2\nshard = "full"\nmicro_batches = 2'),
    "copies": (4, 'data = 2\nulysses = 2\nshard = "full"\nshard_ranks = 2'),
}


def recipe_of(folder, layout, steps=3):
    replace = [("depth = 2", "depth = 5"), ("batch = 2", "batch = 5"), ("[train]", f"[parallel]\n{layout}\n[train]")]
    return write_recipe(folder, steps=steps, replace=replace)


def losses(folder):
    lines = [json.loads(line) for line in (folder / "run" / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    assert graticule("train", recipe_of(folder, "")).returncode == 0
    scores = graticule("eval", folder / "run", "--samples", 3, "--json", check=True).stdout
    return losses(folder), json.loads(scores)["scores"]


@pytest.mark.parametrize("name", LAYOUTS)
def test_trains_as_one_rank(name, alone, tmp_path):
    ranks, layout = LAYOUTS[name]
    trained = graticule("train", recipe_of(tmp_path, layout), ranks=ranks)
    assert trained.returncode == 0, trained.stderr
    assert losses(tmp_path) == pytest.approx(alone[0], rel=1e-4)
    scored = graticule("eval", tmp_path / "run", "--samples", 3, "--json", check=True)
    for mine, theirs in zip(json.loads(scored.stdout)["scores"], alone[1], strict=True):
        assert mine["rmse"] == pytest.approx(theirs["rmse"], rel=1e-3)


def test_scores_and_forecasts_do_not_depend_on_the_layout(tmp_path):
    xarray = pytest.importorskip("xarray")
    assert graticule("train", recipe_of(tmp_path, "", steps=2)).returncode == 0
    fields = {}
    for name, flags in {"alone": [], "spread": ["parallel.tensor=2", "parallel.pipeline=2"]}.items():
        out = tmp_path / f"{name}.nc"
        flags = [word for flag in flags for word in ("--set", flag)]
        arguments = ["forecast", tmp_path / "run", "--init", "2001-02-10T06", "--steps", 2, "--out", out, *flags]
        done = graticule(*arguments, ranks=1 if name == "alone" else 4)
        assert done.returncode == 0, done.stderr
        with xarray.open_dataset(out) as opened:
            fields[name] = opened.load()
    for variable in fields["alone"].data_vars:
        a, b = fields["alone"][variable], fields["spread"][variable]
        assert float(abs(a - b).max()) <= 1e-4 * float(abs(a).max())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("layout", ['"ring"\ntensor = 2', '"mesh"\nmesh_rows = 2'])
def test_check_finds_a_layout_equal(layout, precision, tmp_path):
    recipe = recipe_of(tmp_path, f"context_method = {layout}\nulysses = 1")
    done = graticule("check", recipe, "--set", f"train.precision={precision}", "--json", ranks=4)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["equal"] and {"output", "loss", "gradient of head"} <= {line["what"] for line in found["differences"]}


def test_mesh_says_its_grid_and_refuses_rows_that_do_not_divide(tmp_path):
    recipe = recipe_of(tmp_path, 'context = 3\ncontext_method = "mesh"')
    line = graticule("plan", recipe, "--ranks", 3, "--dry-run", 0)
    assert "context 3, mesh 3 x 1 (a line)" in line.stdout, line.stdout + line.stderr
    refused = graticule("plan", recipe, "--ranks", 3, "--dry-run", 0, "--set", "parallel.mesh_rows=2")
    assert refused.returncode == 2 and "choose a divisor of 3 (1, 3)" in refused.stderr


def test_check_needs_no_data_and_refuses_what_cannot_work(tmp_path):
    replace = [('"synthetic:rows=8,columns=12,variables=6,times=200"', '"absent.zarr"')]
    recipe = write_recipe(tmp_path, replace=replace)
    assert graticule("check", recipe).returncode == 0
    refused = graticule("check", recipe, "--set", "parallel.ulysses=3", ranks=2)
    assert refused.returncode == 2 and "Nearest that work on 2 ranks: ulysses 2" in refused.stderr
