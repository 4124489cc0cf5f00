#!/bin/sh
# test.sh SOURCE...: runs every test of a finished build and checks the format of the C++ sources and all Python files.
# Everything runs even when something fails; the exit status is 1 when anything did.
cd "$(dirname "$0")/.." || exit 1
failed=0
clang-format-14 --dry-run -Werror "$@" || failed=1
.venv/bin/ruff check . || failed=1
.venv/bin/ruff format --check . || failed=1
ctest --test-dir build/release --output-on-failure --no-tests=error --parallel 2 || failed=1
.venv/bin/python -m pytest -q || failed=1
exit $failed
