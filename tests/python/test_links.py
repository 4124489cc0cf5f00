"""Tests the relative links of all Markdown files: each leads to a file, each anchor to a heading."""

import os
import re
from pathlib import Path

from sources import ROOT

NOT_OURS = {"build", "runs", "data", "shared", "__pycache__"}
TEMPLATES = {Path("tools/climate/page.md"): Path("reports/page.md")}  # a template: where its page will be
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def pages() -> list[Path]:
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in NOT_OURS]
        found += [(Path(folder) / name).relative_to(ROOT) for name in names if name.endswith(".md")]
    return sorted(found)


def prose_of(page: Path) -> str:
    """The text without code, in which brackets are no links."""
    text = (ROOT / page).read_text(encoding="utf-8")
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"^    .*$|`[^`\n]*`", "", text, flags=re.MULTILINE)


def anchors_of(page: Path) -> set[str]:
    """The anchors of the headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    anchors: set[str] = set()
    for heading in re.findall(r"^#+ +(.*?) *$", text, re.MULTILINE):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        repeated = (f"{anchor}-{n}" for n in range(1, 100))
        anchors.add(anchor if anchor not in anchors else next(name for name in repeated if name not in anchors))
    return anchors


def test_every_link_leads_somewhere():
    wrong, seen = [], 0
    for page in pages():
        place = TEMPLATES.get(page, page)
        for link in LINK.findall(prose_of(page)):
            if re.match(r"[a-z]+:", link) or "{" in link:
                continue
            seen += 1
            name, _, anchor = link.partition("#")
            target = Path(os.path.normpath(place.parent / name)) if name else page
            if not (ROOT / target).exists():
                wrong.append(f"{page}: {link}: there is no {target}")
            elif anchor and target.suffix == ".md" and anchor not in anchors_of(target):
                wrong.append(f"{page}: {link}: {target} has no heading #{anchor}")
    assert seen > 100 and not wrong, "\n".join(wrong)


def test_the_index_has_every_page():
    listed = set(LINK.findall(prose_of(Path("docs/README.md"))))
    names = {os.path.relpath(page, "docs") for page in pages() if page.parts[0] in ("docs", "reports")} - {"README.md"}
    assert not names - listed, f"docs/README.md lacks {sorted(names - listed)}"
