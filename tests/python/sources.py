"""Lists and reads the source files, for the tests of their form."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = (".h", ".cpp")


def files(*folders: str, suffixes: tuple[str, ...] = CODE) -> list[Path]:
    """Every file below `folders` with one of `suffixes`, as a path from the root."""
    found = (path for folder in folders for path in (ROOT / folder).rglob("*"))
    return sorted(p.relative_to(ROOT) for p in found if p.suffix in suffixes and "__pycache__" not in p.parts)


def read(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def code_of(path: Path) -> str:
    """The text of a C++ file without comments and without the insides of strings; lines stay where they are."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"', re.DOTALL)

    def blank(match: re.Match) -> str:
        return '""' if match[0][0] in 'R"' else "\n" * match[0].count("\n")

    return pattern.sub(blank, read(path))
