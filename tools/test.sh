#!/bin/sh
# Runs every test of a finished build. All of them run even when one fails; the exit status is 1 when any did.
cd "$(dirname "$0")/.." || exit 1
failed=0
ctest --test-dir build/release --output-on-failure --no-tests=error --parallel 2 || failed=1
.venv/bin/python -m pytest -q || failed=1
.venv/bin/ruff check . || failed=1
exit $failed
