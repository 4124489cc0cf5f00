"""docs/recipe.md has every key of a recipe, under its section."""

import re

from sources import read


def test_every_key_is_documented():
    fields = read("graticule/train/recipe_fields.h")
    page = {m[1]: m[2] for m in re.finditer(r"## \[(\w+)\]\n(.*?)(?=\n## |\Z)", read("docs/recipe.md"), re.DOTALL)}
    missing, section = [], None
    for kind, name in re.findall(r'visitor\.(section|field|choice)\(\s*"(\w+)"', fields):
        if kind == "section":
            section = name
        elif f"`{name}`" not in page[section]:
            missing.append(f"{section}.{name}")
    assert section == "run" and not missing, f"docs/recipe.md lacks {missing}"
