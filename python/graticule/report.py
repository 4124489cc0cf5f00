"""Writes one HTML page about a run or several: python -m graticule report RUN [RUN...] [--out FILE].

The page needs no network and no server: its data, its style and its program, with the drawing library plotly, are in
the file. docs/report.md describes it. Exit code 2: the folders cannot be shown; the message says why.
"""

import argparse
import importlib.resources
import json
import os
import sys
from pathlib import Path

from graticule import report_fields, report_run, report_scores
from graticule.run_files import MissingError

PARTS = importlib.resources.files("graticule") / "page"
SCRIPTS = ["figures.js", "training.js", "scores.js", "maps.js", "layout.js", "tables.js", "page.js"]


def read_data(folders, started=True):
    """Everything on the page but the maps."""
    runs = [report_run.read_run(folder, started) for folder in folders]
    report_run.named_apart(runs)
    report_run.refuse_different_data(runs)
    return {"runs": runs, "compared": report_scores.compared(runs)}


def read_maps(folders, data):
    """The maps of each run; where it has none, {"missing": why}."""
    maps, share = [], report_fields.FIELD_BYTES // len(folders)
    for folder, run in zip(folders, data["runs"], strict=True):
        try:
            maps.append(report_fields.read_maps(Path(folder), run["recipe"]["data"]["targets"], share))
        except MissingError as missing:
            maps.append({"missing": str(missing)})
    return maps


def as_script(value):
    """JSON that can stand in a <script> element, whatever texts it has."""
    return json.dumps(value, allow_nan=False, separators=(",", ":"), default=str).replace("<", "\\u003c")


def drawing_library():
    """The text of plotly.min.js."""
    try:
        return (importlib.resources.files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")
    except ModuleNotFoundError:
        raise MissingError("[report] the page is drawn by plotly, which is not installed: pip install plotly") from None


def page(data, maps, live=False):
    """The whole page. `live`: it asks the server that sent it for news (graticule.watch)."""
    parts = {
        "TITLE": ", ".join(run["name"] for run in data["runs"]).replace("&", "&amp;").replace("<", "&lt;"),
        "CONNECT": "'self'" if live else "'none'",
        "LIVE": "true" if live else "false",
        "STYLE": (PARTS / "page.css").read_text(encoding="utf-8"),
        "LIBRARY": drawing_library(),
        "SCRIPT": "\n".join((PARTS / name).read_text(encoding="utf-8") for name in SCRIPTS),
        "DATA": as_script(data),
        "MAPS": as_script(maps),
    }
    pieces = (PARTS / "page.html").read_text(encoding="utf-8").split("@@")
    return "".join(piece if index % 2 == 0 else parts[piece] for index, piece in enumerate(pieces))


def write_whole(path, text):
    """Writes a file that appears whole or not at all. MissingError: it cannot be written."""
    aside = path.with_name(path.name + ".part")
    try:
        aside.write_text(text, encoding="utf-8")
        os.replace(aside, path)
    except OSError as error:
        raise MissingError(f"[report] {path} cannot be written: {error.strerror}; choose another --out") from None


def main(argv=None):
    parser = argparse.ArgumentParser(prog="graticule report", description="Writes one HTML page about runs.")
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="a run folder that graticule train wrote")
    parser.add_argument("--out", type=Path, help="the page (default: report.html in the first run folder)")
    arguments = parser.parse_args(argv)
    try:
        data = read_data(arguments.runs)
        maps = read_maps(arguments.runs, data)
        out = arguments.out or arguments.runs[0] / "report.html"
        write_whole(out, page(data, maps))
    except MissingError as error:
        print(error, file=sys.stderr)
        return 2
    absent = [text for run in data["runs"] for text in run["missing"]]
    for missing in absent + [of["missing"] for of in maps if "missing" in of]:
        print(missing, file=sys.stderr)
    print(f"{out} shows {', '.join(run['path'] for run in data['runs'])}: open it in a browser")
    return 0
