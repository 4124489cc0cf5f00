"""Shows the page of a run while it trains: python -m graticule watch RUN [--port N].

A server on this machine alone (127.0.0.1), under an address with a random token, that only reads. It looks at the
files of the run folder whenever the page asks, so the run may stop, resume or begin anew meanwhile.
"""

import argparse
import contextlib
import http.server
import json
import secrets
import sys
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from graticule import report
from graticule.run_files import MissingError

WATCHED = ["recipe.toml", "metrics.jsonl", "scores.json", "machine.json", "cost.json"]
FIELDS = ["forecast.nc", "forecast.zarr", "truth.nc", "truth.zarr"]


def version_of(run, names):
    """A text that changes when one of the files does."""
    stamps = []
    for name in names:
        try:
            status = (run / name).stat()
            stamps.append(f"{status.st_mtime_ns}-{status.st_size}")
        except OSError:
            stamps.append("none")
    return ".".join(stamps)


class Watched:
    """A run folder as it was when it could last be read."""

    def __init__(self, run):
        self.run, self.data, self.maps, self.next_look = run, {}, [], 0.0
        self.read(*self.versions())

    def versions(self):
        """Those of all files, and of the fields alone."""
        fields = version_of(self.run, FIELDS)
        return f"{version_of(self.run, WATCHED)}.{fields}", fields

    def read(self, version, maps_version):
        data = report.read_data([self.run], started=False)
        if maps_version != self.data.get("maps_version"):
            self.maps = report.read_maps([self.run], data)
        self.data = data | {"version": version, "maps_version": maps_version, "state": state_of(data["runs"][0])}

    def look(self):
        """Reads what changed. A folder that cannot be read just now, as while it is made anew, stays as it was.

        Reading takes at most a tenth of the time, however long the run's files are.
        """
        begin = time.monotonic()
        if begin < self.next_look:
            return
        version, maps_version = self.versions()
        if version == self.data["version"]:
            return
        with contextlib.suppress(MissingError, OSError):
            self.read(version, maps_version)
        self.next_look = time.monotonic() + 9 * (time.monotonic() - begin)


def state_of(run):
    """One sentence: how far the run is."""
    curves, steps = run["curves"], run["recipe"]["train"]["steps"]
    if not curves["step"]:
        return "No step yet."
    made = curves["step"][-1]
    if made >= steps:
        return f"All {steps} steps are made."
    return f"Step {made} of {steps}, about {(steps - made) * (curves['step_s'][-1] or 0) / 60:.0f} minutes left."


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers GET alone, below the token alone."""

    watched: Watched
    token: str

    def do_GET(self):
        address = urlsplit(self.path)
        token, _, name = address.path.removeprefix("/").partition("/")
        if not secrets.compare_digest(token.encode(), self.token.encode()):
            return self.answer(404, "text/plain", "Not here: the address has a token, which graticule watch prints.\n")
        self.watched.look()
        data = self.watched.data
        if name == "":
            return self.answer(200, "text/html", report.page(data, self.watched.maps, live=True))
        if name == "data.json":
            if parse_qs(address.query).get("version") == [data["version"]]:
                return self.answer(204, "application/json", "")
            return self.answer(200, "application/json", json.dumps(data, allow_nan=False, default=str))
        if name == "maps.json":
            return self.answer(200, "application/json", json.dumps(self.watched.maps, allow_nan=False))
        return self.answer(404, "text/plain", "There is no such page.\n")

    def answer(self, code, kind, text):
        content = text.encode()
        self.send_response(code)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("X-Content-Type-Options", "nosniff")
        with contextlib.suppress(ConnectionError):  # the browser left
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, *_):
        """The terminal shows the address alone."""


def serve(run, port):
    """The server and its address. MissingError: no run folder, or a port that is taken."""
    Handler.watched, Handler.token = Watched(run), secrets.token_urlsafe(16)
    try:
        server = http.server.HTTPServer(("127.0.0.1", port), Handler)
    except (OSError, OverflowError) as error:
        raise MissingError(f"[watch] port {port} cannot be opened: {error}; choose another --port") from None
    return server, f"http://127.0.0.1:{server.server_port}/{Handler.token}/"


def main(argv=None):
    parser = argparse.ArgumentParser(prog="graticule watch", description="Shows the page of a run while it trains.")
    parser.add_argument("run", type=Path, metavar="RUN", help="the run folder that graticule train writes")
    parser.add_argument("--port", type=int, default=0, help="the port on 127.0.0.1 (default: any that is free)")
    arguments = parser.parse_args(argv)
    try:
        server, address = serve(arguments.run, arguments.port)
    except MissingError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{arguments.run} is at {address} (this machine alone; Ctrl-C ends)", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        return 0
    finally:
        server.server_close()
