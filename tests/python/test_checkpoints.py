"""Tests checkpoints: refusal of a changed meaning, the history of a run, and the message of each failure."""

import json
import os
import re
import shutil

import pytest

from command import VARIABLES, graticule, write_recipe

# Words of library errors that were not caught.
NO_WORDS_OF_OURS = re.compile(r"::|json\.exception|filesystem error|\(\)|stoi|basic_string")


def refused(result, *words, code=2):
    assert result.returncode == code, result.stdout + result.stderr
    assert result.stderr.count("graticule: [") == 1 and not NO_WORDS_OF_OURS.search(result.stderr), result.stderr
    for word in words:
        assert str(word) in result.stderr, result.stderr


def recipe_of(folder):
    more = 'checkpoint_every = 3\nkeep = 9\nout = "'
    return write_recipe(folder, steps=9, replace=[('out = "', more)])


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("original")
    graticule("train", recipe_of(folder), check=True)
    return folder / "run"


@pytest.fixture
def run(original, tmp_path):
    """A moved run: the paths that its files name are another's."""
    shutil.copytree(original, tmp_path / "run")
    recipe_of(tmp_path)
    return tmp_path / "run"


def train(run, *arguments, **options):
    return graticule("train", run.parent / "recipe.toml", *arguments, **options)


def steps_in(file):
    return [json.loads(line)["step"] for line in file.read_text().splitlines()]


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def manifest_of(checkpoint):
    return json.loads((checkpoint / "manifest.json").read_text())


def test_going_back_starts_a_branch(run):
    checkpoints = run / "checkpoints"
    back = train(run, "--resume", f"{checkpoints}/step-3/", "--set", "train.lr=1e-4", "--set", "train.steps=8", ranks=2)
    assert back.returncode == 0, back.stderr
    assert names_in(checkpoints) == ["left-1", "step-3", "step-6", "step-8"]
    assert names_in(checkpoints / "left-1") == ["step-6", "step-9"]
    parents = [manifest_of(checkpoints / name)["parent"] for name in ("step-3", "step-6", "step-8", "left-1/step-9")]
    assert parents == [None, "step-3", "step-6", "step-6"]
    log = (run / "log.txt").read_text()
    for words in ("train.lr 0.001 -> 0.0001", "train.steps 9 -> 8", "step-6 step-9 left its line", "left-1"):
        assert words in log and words in back.stdout
    assert steps_in(run / "metrics.jsonl") == list(range(1, 9))
    assert steps_in(run / "metrics.left-1.jsonl") == list(range(4, 10))
    assert "lr = 0.0001" in (run / "recipe.toml").read_text()
    for named, scored in ((run, "step-8"), (checkpoints / "left-1" / "step-9", "left-1/step-9")):
        result = graticule("eval", named, "--samples", 2, "--json", check=True)
        assert json.loads(result.stdout)["checkpoint"].endswith(f"checkpoints/{scored}")
    assert (run / "scores.json").exists()

    # A left checkpoint can be continued. Then run.keep counts only the checkpoints of its line.
    again = train(run, "--resume", checkpoints / "left-1" / "step-9", "--set", "train.steps=11", "--set", "run.keep=1")
    assert again.returncode == 0, again.stderr
    assert names_in(checkpoints) == ["left-1", "left-2", "step-11"]
    assert names_in(checkpoints / "left-2") == ["step-3", "step-6", "step-8"]
    assert steps_in(run / "metrics.jsonl") == [10, 11]
    auto = train(run, "--resume", "auto", "--set", "train.steps=12", "--set", "run.keep=1")
    assert auto.returncode == 0, auto.stderr
    assert names_in(checkpoints) == ["left-1", "left-2", "step-12"]


def test_from_another_run_into_a_fresh_folder(run, original):
    fresh = run.parent / "fresh"
    result = train(
        run, "--resume", original / "checkpoints" / "step-9", "--set", f"run.out={fresh}", "--set", "train.steps=10"
    )
    assert result.returncode == 0, result.stderr
    assert names_in(fresh / "checkpoints") == ["step-10"]
    assert manifest_of(fresh / "checkpoints" / "step-10")["parent"] == str(original / "checkpoints" / "step-9")
    assert steps_in(fresh / "metrics.jsonl") == [10]


def test_nothing_to_train_writes_nothing(run):
    before = names_in(run / "checkpoints")
    result = train(run, "--resume", run / "checkpoints" / "step-3", "--set", "train.steps=3")
    assert result.returncode == 0 and "nothing to train: 3 steps were made" in result.stdout
    assert names_in(run / "checkpoints") == before
    unfound = train(run, "--resume", "auto", "--set", f"run.out={run}2", "--set", "train.steps=1")
    assert unfound.returncode == 0 and f"no checkpoint in {run}2: training starts anew" in unfound.stdout


def test_a_branch_that_dies_leaves_nothing_behind(run):
    checkpoints, metrics = run / "checkpoints", (run / "metrics.jsonl").read_text()
    died = train(run, "--resume", checkpoints / "step-3", "--set", "train.lr=1e30", "--set", "train.clip=0")
    refused(died, "lower train.lr", code=1)
    assert names_in(checkpoints) == ["step-3", "step-6", "step-9"]
    assert train(run, "--resume", "auto", "--set", "train.steps=10").returncode == 0
    assert names_in(checkpoints) == ["step-10", "step-3", "step-6", "step-9"]
    assert (run / "metrics.jsonl").read_text().startswith(metrics)
    assert steps_in(run / "metrics.jsonl") == list(range(1, 11))


def test_the_advice_for_a_damaged_checkpoint_can_be_followed(run):
    newest = run / "checkpoints" / "step-9"
    weights = newest / "rank-0.safetensors"
    os.truncate(weights, weights.stat().st_size // 2)
    result = train(run, "--resume", "auto", "--set", "train.steps=10")
    refused(result, weights, "is damaged", code=1)
    advised = re.search(r"--resume (\S+)", result.stderr)[1]
    assert advised == str(run / "checkpoints" / "step-6")
    assert train(run, "--resume", advised, "--set", "train.steps=10").returncode == 0
    assert names_in(run / "checkpoints") == ["left-1", "step-10", "step-3", "step-6", "step-9"]
    graticule("eval", run, "--samples", 2, check=True)


# Each command that uses weights together with a recipe.
MEANINGS = {
    "order of variables": ("data.variables", None),
    "heads": ("model.heads=2", "model.heads = 4, the recipe has 2"),
    "prediction": ('data.predict="state"', 'data.predict = "difference", the recipe has "state"'),
    "leads": ("data.lead_hours=48", "data.lead_hours = [24], the recipe has [48]"),
    "targets": ('data.targets=["2m_temperature"]', "data.targets = ["),
    "preset": ('model.preset="tiny"', "model.dim = 32, the recipe has 64"),
}


@pytest.mark.parametrize("name", MEANINGS)
def test_another_meaning_is_refused_and_changes_nothing(name, original):
    change, words = MEANINGS[name]
    if words is None:
        names = re.search(r"variables = \[(.*?)\]", (original / "recipe.toml").read_text(), re.DOTALL)[1]
        turned = ", ".join(reversed([part.strip() for part in names.split(",") if part.strip()]))
        change, words = f"data.variables=[{turned}]", "data.variables = ["
    times = ("--init", "2001-02-10")
    before = {path: path.read_bytes() for path in original.rglob("*") if path.is_file()}
    for ranks, command in (
        (1, ("train", original / "recipe.toml", "--resume", "auto", "--set", "train.steps=10", "--set", "train.lr=1")),
        (2, ("eval", original)),
        (1, ("forecast", original, *times)),
    ):
        result = graticule(*command, "--set", change, ranks=ranks)
        refused(result, words, "another run.out")
        assert ("--lead, one of [24]" in result.stderr) == (name == "leads" and command[0] != "train")
    after = {path: path.read_bytes() for path in original.rglob("*") if path.is_file()}
    assert {p: b for p, b in after.items() if p.name != "lock"} == {p: b for p, b in before.items() if p.name != "lock"}


def test_data_of_another_grid_or_unit(tmp_path):
    xarray = pytest.importorskip("xarray")
    graticule(
        "data", "synth", tmp_path / "a.nc", "--rows", 8, "--columns", 12, "--variables", 6, "--times", 200, check=True
    )
    with xarray.open_dataset(tmp_path / "a.nc") as opened:
        data = opened.load()
    replace = [("synthetic:rows=8,columns=12,variables=6,times=200", str(tmp_path / "a.nc"))]
    replace.append(("batch = 2", f"batch = 2\n{VARIABLES}"))
    recipe = write_recipe(tmp_path, steps=2, replace=replace)
    graticule("train", recipe, check=True)
    run, times = tmp_path / "run", ("--init", "2001-02-10")

    def write(name, change):
        changed = data.copy(deep=True)
        change(changed).to_netcdf(tmp_path / name)
        return "--set", f"data.path={tmp_path / name}"

    def with_units(units):
        def change(dataset):
            dataset["2m_temperature"].attrs["units"] = units
            return dataset

        return change

    resume = ("train", recipe, "--resume", "auto", "--set", "train.steps=3")
    for other, words in (
        (write("degc.nc", with_units("degC")), ("was trained on 2m_temperature in K", "has it in degC")),
        (write("shifted.nc", lambda d: d.assign_coords(latitude=d.latitude + 0.01)), ("another grid", "latitudes")),
        (write("fewer.nc", lambda d: d.isel(longitude=slice(0, 6))), ("12 longitudes", "6 longitudes")),
    ):
        for command in (resume, ("eval", run), ("forecast", run, *times)):
            refused(graticule(*command, *other), tmp_path, *words)
    spelt = write("spelt.nc", with_units("kelvin"))
    assert "note:" not in graticule("eval", run, *spelt, "--samples", 2, check=True).stderr
    unnamed = write("unnamed.nc", with_units(""))
    told = "2m_temperature: the data name no unit, the checkpoint's were in K"
    assert told in graticule("eval", run, *unnamed, "--samples", 2, check=True).stderr
    resumed = graticule(*resume, *unnamed, ranks=2)
    assert resumed.returncode == 0 and told in resumed.stdout and told in (run / "log.txt").read_text()
    assert "data.path " in resumed.stdout
    # If the data lack an attribute, the checkpoint still has it from the one before.
    write("unnamed.nc", with_units("degC"))
    refused(graticule("export", run, tmp_path / "w.safetensors"), "has it in degC")

    # A checkpoint without these entries (from an older version) is accepted.
    for path in (run / "checkpoints").glob("*/manifest.json"):
        manifest = json.loads(path.read_text())
        del manifest["data"], manifest["parent"]
        path.write_text(json.dumps(manifest))
    graticule("eval", run, "--samples", 2, check=True)


def edited(change):
    def edit(checkpoint):
        manifest = manifest_of(checkpoint)
        change(manifest)
        (checkpoint / "manifest.json").write_text(json.dumps(manifest))

    return edit


def cut_off(checkpoint):
    os.truncate(checkpoint / "manifest.json", 1000)


DAMAGES = {
    "no files": (edited(lambda m: m.pop("files")), 1, 'no entry "files"'),
    "files of another form": (edited(lambda m: m.update(files=[{"name": 3}])), 1, 'no entry "name"'),
    "no flats": (edited(lambda m: m.pop("flats")), 1, 'no entry "flats"'),
    "flats of another form": (edited(lambda m: m["flats"][0].pop("files")), 1, 'its entry "flats" has not the form'),
    "no file of a flat": (edited(lambda m: m["flats"][0].update(files=[])), 1, "names no file of"),
    "a step in words": (edited(lambda m: m.update(step="nine")), 1, 'no entry "step"'),
    "no recipe": (edited(lambda m: m.pop("recipe")), 1, 'no entry "recipe"'),
    "no statistics": (edited(lambda m: m.update(statistics={"form": 2})), 2, "holds no statistics of the form"),
    "a lead in words": (
        edited(lambda m: m["statistics"]["variables"]["2m_temperature"].update(difference_deviation={"a": 1})),
        2,
        "holds no statistics of the form",
    ),
    "a grid in words": (edited(lambda m: m["data"].update(latitudes="all")), 1, 'no entry "latitudes"'),
    "another format": (edited(lambda m: m.update(format=99)), 2, "has format 99, this version reads 2"),
    "no object": (lambda c: (c / "manifest.json").write_text("[]"), 1, "is damaged (no JSON object)"),
    "cut off": (cut_off, 1, "is damaged (no JSON object)"),
    "a file gone": (lambda c: (c / "rank-0.safetensors").unlink(), 1, "rank-0.safetensors is missing"),
    "no manifest": (lambda c: (c / "manifest.json").unlink(), 2, "is no checkpoint: it has no manifest.json"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_each_damage_says_its_own_reason(name, run):
    damage, code, words = DAMAGES[name]
    checkpoint = run / "checkpoints" / "step-9"
    damage(checkpoint)
    refused(train(run, "--resume", "auto", "--set", "train.steps=10"), words, code=code)
    refused(graticule("export", run, run.parent / "w.safetensors"), words, code=code)


def test_statistics_of_another_form(tmp_path):
    (tmp_path / "run").mkdir()
    recipe = write_recipe(tmp_path, steps=1)
    for content in ("{}", "[1", '{"form": "graticule statistics 1"}', '{"form": "older"}'):
        (tmp_path / "run" / "statistics.json").write_text(content)
        refused(graticule("train", recipe), "statistics.json holds no statistics", "remove it")


def become_nobody():
    if os.getuid() == 0:
        os.setuid(65534)


def test_what_may_not_be_read(run):
    """Root reads everything, so the program runs as nobody; pytest's folders are root's alone."""
    os.chmod(run, 0)
    try:
        for command in (("eval", run), ("export", run, "/tmp/w.safetensors"), ("eval", run / "checkpoints" / "step-9")):
            refused(graticule(*command, preexec_fn=become_nobody, cwd="/"), "ermission denied")
    finally:
        os.chmod(run, 0o755)
