"""Tests that a name is one type. Two types with one name in namespace graticule break C++'s one-definition rule without
a message: the linker keeps one `std::vector<Name>` for both, with the wrong size for one of them."""

import re
from collections import defaultdict

from sources import code_of, files

TYPE = (
    r"(?:template\s*<.*>\s*)?(?:struct|class|union|enum(?: class)?)\s+(?:alignas\(\w+\)\s*)?"
    r"(\w+)(?: final)?\s*(?::[^:].*)?"
)


def linked_types(code: str) -> list[str]:
    """The types that `code` defines in named namespaces, inside no other type or function."""
    code = re.sub(r"^\s*#.*$", "", code, flags=re.MULTILINE)
    names, around = [], []
    for head, mark in re.findall(r"([^;{}]*)([;{}])", code):
        head = head.strip()
        if mark == "{":
            found = re.fullmatch(TYPE, head, re.DOTALL)
            if found and all(re.match(r"namespace \w", outer) for outer in around):
                names.append(found[1])
            around.append(head)
        elif mark == "}" and around:
            around.pop()
    return names


def test_a_name_is_one_type():
    places = defaultdict(list)
    for path in files("graticule", "cli", "python"):
        for name in linked_types(code_of(path)):
            places[name].append(str(path))
    assert len(places) > 200
    wrong = [f"{name}: {', '.join(where)}" for name, where in places.items() if len(where) > 1]
    assert not wrong, "types of one name, rename one:\n" + "\n".join(wrong)


def test_the_reader_of_types_knows_what_is_linked():
    code = """namespace graticule {
    struct Seen { struct Inside {}; };  template <class T> class Templated : Seen {};  enum class Kind { a, b };
    struct Outer::Nested { int x; };  struct Declared;  struct Seen function() { struct Local {}; }
    namespace { struct Hidden {}; }  namespace inner { union Both {}; } }"""
    assert linked_types(code) == ["Seen", "Templated", "Kind", "Both"]
