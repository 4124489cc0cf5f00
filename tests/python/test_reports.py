"""Tests that the reports have the words of their generators; only the figures may differ."""

import importlib.util
import re
import sys

from sources import ROOT, read


def words_in_order(template: str, page: str, blank: str) -> None:
    """Every piece of the template between its blanks is in the page, in this order."""
    place = 0
    for piece in re.split(blank, template):
        found = page.find(piece, place)
        assert found >= 0, f"the page lacks, or has in another place:\n{piece}"
        place = found + len(piece)


def test_climate_page_follows_its_template():
    words_in_order(read("tools/climate/page.md"), read("reports/climate.md"), r"\{\w+\}")


def test_scaling_page_follows_its_script(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "bench")
    spec = importlib.util.spec_from_file_location("scaling", ROOT / "bench/scaling.py")
    scaling = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "scaling", scaling)
    spec.loader.exec_module(scaling)
    monkeypatch.setattr(scaling, "papers_regime", lambda: ("<>", {"<>": 1.0}))
    monkeypatch.setattr(scaling, "conditions", lambda: ("<>", 1.0))
    monkeypatch.setattr(scaling, "efficiency", lambda *_: [(8, 1.0)])
    for name in ("efficiency_table", "scaling_table", "winners", "last_best"):
        monkeypatch.setattr(scaling, name, lambda *_: "<>")
    words_in_order(scaling.page({}), read("reports/scaling.md"), r"100\.0 %(?: \(<>\))?|<>")
