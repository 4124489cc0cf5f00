#!/bin/sh
# test.sh SOURCE...: runs every test of a finished build, and checks the format of the C++ sources and of all Python files.
# All of them run even if one fails. Exit 1: something failed.
cd "$(dirname "$0")/.." || exit 1
failed=0
clang-format-14 --dry-run -Werror "$@" || failed=1
.venv/bin/ruff check . || failed=1
.venv/bin/ruff format --check . || failed=1
ctest --test-dir build/release --output-on-failure --no-tests=error --parallel 2 || failed=1
.venv/bin/python -m pytest -q || failed=1
exit $failed
