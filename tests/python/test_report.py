"""Tests the page of graticule report and of graticule watch, in a browser without a window."""

import json
import re
import shutil
import statistics
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from command import ENVIRONMENT, PROGRAM, ROOT, graticule, write_recipe

playwright = pytest.importorskip("playwright.sync_api")
report_scores = pytest.importorskip("graticule.report_scores")

CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
STEPS, LEADS = 6, [24, 48, 72]
SEEDED = [
    ("threads = 1", "threads = 1\nseed = {}"),
    ('test = ["2001-02-07"', 'valid = ["2001-02-05", "2001-02-06"]\ntest = ["2001-02-07"'),
]


def train(folder, seed):
    """A run over two ranks that was scored and has a forecast with its truth."""
    folder.mkdir()
    replace = [(old, new.format(seed)) for old, new in SEEDED] + [("[run]", "[run]\neval_every = 3")]
    graticule("train", write_recipe(folder, STEPS, replace), ranks=2, check=True)
    run = folder / "run"
    graticule("eval", run, "--steps", len(LEADS), "--samples", 4, check=True)
    files = ("--out", run / "forecast.nc", "--truth", run / "truth.nc")
    graticule("forecast", run, "--init", "2001-02-08", "--steps", len(LEADS), *files, check=True)
    return run


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    return [train(folder / f"seed-{seed}", seed) for seed in (1, 2)]


@pytest.fixture(scope="module")
def browser():
    assert CHROMIUM, "no Chromium: tools/setup.sh tests installs it"
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def look(browser):
    """Opens an address: a page that is drawn. At the end nothing may have failed in it."""
    troubles, opened, pages = [], [], []

    def open_page(address, width=1280):
        page = browser.new_page(viewport={"width": width, "height": 800})
        pages.append(page)
        page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: opened.append(request.url))
        page.goto(address, timeout=120_000)
        page.wait_for_selector("html[data-ready=yes]", state="attached", timeout=120_000)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert not troubles
    assert all(re.match(r"file:|data:|blob:|http://127\.0\.0\.1:", url) for url in opened), opened


def write_page(*runs, out):
    result = graticule("report", *runs, "--out", out)
    assert result.returncode == 0 and str(out) in result.stdout and not result.stderr, result.stderr
    return f"file://{out}"


def traces(page, figure):
    """The lines of a figure by name, {x: y}."""
    drawn = page.evaluate(
        f"document.querySelector('#{figure} .plot').data.map((t) => ({{name: t.name, x: t.x, y: t.y}}))"
    )
    return {trace["name"]: dict(zip(trace["x"], trace["y"], strict=True)) for trace in drawn}


def map_numbers(page, index=0):
    return page.evaluate(f"Array.from(document.querySelectorAll('#maps .plot')[{index}].data[0].z, (row) => [...row])")


def test_the_page_of_a_run(runs, look, tmp_path):
    page = look(write_page(runs[0], out=tmp_path / "page.html"))
    scores = json.loads((runs[0] / "scores.json").read_text())["scores"]
    variables = list(dict.fromkeys(row["variable"] for row in scores))
    offered = page.evaluate("[...document.getElementById('variable').options].map((o) => o.value)")
    assert set(variables) == set(offered)
    for variable in variables:
        page.select_option("#variable", variable)
        for score in ("rmse", "acc"):
            expected = {}
            for row in scores:
                if row["variable"] == variable and row[score] is not None:
                    name = "run" if row["forecast"] == "model" else row["forecast"]
                    expected.setdefault(name, {})[row["lead_hours"]] = row[score]
            assert traces(page, score) == expected, (variable, score)

    # The slider and the keys change the map; the numbers are those of the file, rounded to 254 steps of the range.
    xarray = pytest.importorskip("xarray")
    variable = "2m_temperature"
    page.select_option("#variable", variable)
    with xarray.open_dataset(runs[0] / "forecast.nc", decode_timedelta=True) as file:
        field = file[variable].isel(time=0).sortby("latitude").transpose("prediction_timedelta", ...).values
    for lead, change in (
        (0, lambda: None),
        (2, lambda: page.locator("#lead").fill("2")),
        (1, lambda: page.keyboard.press("ArrowLeft")),
    ):
        change()
        page.wait_for_selector(f"#maps[data-shown='{variable} {lead}']")
        assert page.locator("#lead-text").inner_text() == f"{LEADS[lead]} h"
        worst = max(
            abs(a - b)
            for ours, theirs in zip(map_numbers(page), field[lead], strict=True)
            for a, b in zip(ours, theirs, strict=True)
        )
        assert worst <= (field.max() - field.min()) / 254, lead

    losses = [json.loads(line) for line in (runs[0] / "metrics.jsonl").read_text().splitlines()]
    assert list(traces(page, "loss")["run"].values()) == [line["loss"] for line in losses if "loss" in line]
    cost = json.loads((runs[0] / "cost.json").read_text())
    parts = page.evaluate("document.querySelector('#memory-parts .plot').data.map((t) => t.x[0])")
    assert sum(parts) * 2**20 == pytest.approx(cost["memory"]["peak_bytes"])
    assert page.locator("#layout svg text").all_text_contents().count("rank 1") == 1
    machine = page.locator("#machine").inner_text()
    assert "Graticule" in machine and json.loads((runs[0] / "machine.json").read_text())["host"] in machine


def test_a_narrow_screen_and_paper(runs, look, tmp_path):
    page = look(write_page(runs[0], out=tmp_path / "page.html"), width=360)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.pdf()[:4] == b"%PDF"


def test_runs_side_by_side(runs, look, tmp_path):
    page = look(write_page(*runs, out=tmp_path / "page.html"))
    both = [report_scores.model_scores({"scores": json.loads((run / "scores.json").read_text())}) for run in runs]
    variable = page.evaluate("document.getElementById('variable').value")
    drawn = page.evaluate("document.querySelector('#rmse .plot').data.map((t) => [t.name, t.x, t.y, t.error_y?.array])")
    name, leads, means, halves = drawn[0]
    assert (
        name.startswith("mean of ")
        and leads == LEADS
        and [line[0] for line in drawn[1:]] == ["persistence", "climatology"]
    )
    for lead, mean, half in zip(leads, means, halves, strict=True):
        values = [scores[variable, lead]["rmse"] for scores in both]
        assert mean == pytest.approx(statistics.mean(values))
        assert half == pytest.approx(12.706 * statistics.stdev(values) / 2**0.5)  # Student's t, one degree of freedom
    assert page.locator("#maps .figure").count() == 5  # two forecasts, two errors, one truth
    assert page.locator("#recipe").inner_text().count("train.seed") == 1


def refusal(*arguments):
    result = graticule(*arguments)
    assert result.returncode == 2 and result.stderr.count("\n") == 1 and not result.stdout, result.stderr
    return result.stderr


def test_bad_input_is_one_line(runs, tmp_path):
    assert "is not a run folder" in refusal("report", tmp_path)
    assert "is not a run folder" in refusal("watch", tmp_path / "nowhere")
    other = tmp_path / "other"
    shutil.copytree(runs[0], other)
    recipe = other / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("rows=8", "rows=16"))
    assert "data.path is 'synthetic:rows=8" in refusal("report", runs[0], other)
    (other / "metrics.jsonl").unlink()
    assert "metrics.jsonl is not there: train first" in refusal("report", other)
    recipe.write_text("[data]\n")
    assert "lacks path, targets, steps" in refusal("report", other)
    assert "cannot be written" in refusal("report", runs[0], "--out", tmp_path / "nowhere" / "page.html")
    assert graticule("report").returncode == 2


def test_what_is_not_there_yet_is_named(runs, look, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(runs[0], run)
    for name in ("scores.json", "forecast.nc", "machine.json", "cost.json"):
        (run / name).unlink()
    result = graticule("report", run)
    assert result.returncode == 0 and "graticule eval" in result.stderr and "graticule forecast" in result.stderr
    page = look(f"file://{run}/report.html")
    assert page.locator("#missing li").count() == 2
    assert page.locator("#scores-section").is_hidden() and page.locator("#loss .plot").is_visible()


def wait_until(condition):
    """The page forbids itself to evaluate texts, so it cannot be asked to wait for one."""
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("this did not come true within a minute")


def status(address, method="GET"):
    try:
        with urllib.request.urlopen(urllib.request.Request(address, method=method), timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_watch_follows_a_run(runs, look, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    shutil.copy(runs[0] / "recipe.toml", run)
    metrics = (runs[0] / "metrics.jsonl").read_text().splitlines(keepends=True)
    watch = subprocess.Popen([PROGRAM, "watch", run], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
    try:
        address = re.search(r"http://127\.0\.0\.1:\d+/[\w-]{20,}/", watch.stdout.readline())[0]
        assert status(address) == 200 and status(address + "maps.json") == 200
        assert status(address, "POST") == status(address, "DELETE") == 501
        assert status(address.rpartition("/")[0][:-1] + "/") == status(re.match(r"http://[^/]+/", address)[0]) == 404
        page = look(address)
        live = page.locator("#live")
        wait_until(lambda: live.inner_text() == "No step yet.")

        def expect(count):
            drawn = "document.querySelector('#loss .plot')?.data?.[0]?.x.length ?? 0"
            wait_until(lambda: page.evaluate(drawn) == count)

        (run / "metrics.jsonl").write_text(metrics[0])
        expect(1)
        (run / "metrics.jsonl").write_text("".join(metrics) + '{"step": 7, "lo')  # a line that is being written
        expect(STEPS)
        wait_until(lambda: live.inner_text() == f"All {STEPS} steps are made.")
        shutil.rmtree(run)  # the run is thrown away and begins anew
        run.mkdir()
        shutil.copy(runs[1] / "recipe.toml", run)
        (run / "metrics.jsonl").write_text("".join(metrics[:2]))
        expect(2)
    finally:
        watch.kill()
        watch.wait()


def test_versions():
    command = [ROOT / ".venv" / "bin" / "python", "-m", "graticule", "--version"]
    environment = ENVIRONMENT | {"PYTHONPATH": str(ROOT / "python")}
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    program = graticule("--version").stdout.strip()
    assert told.split("\n")[0] == f"{program} in {ROOT / 'python' / 'graticule'}"
    assert "operator library: built with PyTorch 2." in told and re.search(r"torch \d", told)
