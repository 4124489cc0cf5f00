"""Tests that docs/recipe.md has every key of a recipe, in its section and with its kind."""

import re

from sources import read


def test_every_key_is_documented_with_its_kind():
    fields = read("graticule/recipe/recipe_fields.h")
    page = {m[1]: m[2] for m in re.finditer(r"## \[([\w.]+)\]\n(.*?)(?=\n## |\Z)", read("docs/recipe.md"), re.DOTALL)}
    wrong, section = [], None
    for call, name, kind in re.findall(r'visitor\.(section|field|choice)\(\s*"([\w.]+)"(?:,\s*(\w+))?', fields):
        if call == "section":
            section = name
            rows = [line.split("|") for line in page[section].splitlines() if line.startswith("|")]
        elif kind not in [row[3].strip() for row in rows if f"`{name}`" in row[1]]:
            wrong.append(f"{section}.{name} ({kind})")
    assert section == "run" and not wrong, f"docs/recipe.md lacks {wrong}"
