#!/bin/sh
# check_all.sh JOBS: runs the checks that take too long for every change. All of them run even if one fails. At the end it
# lists each check with its verdict and its minutes. Exit 1: a check failed.
cd "$(dirname "$0")/.." || exit 1
jobs=$1
summary=""
failed=0

check() {
  name=$1
  shift
  echo "== $name"
  began=$(date +%s)
  if "$@"; then verdict=passed; else verdict=FAILED failed=1; fi
  summary="$summary$(printf '%-28s %s after %d min' "$name" "$verdict" $((($(date +%s) - began + 30) / 60)))
"
}

alone() {
  cmake --preset release -B build/alone -DGRATICULE_CHUNKS=OFF > /dev/null && cmake --build build/alone --parallel "$jobs"
}

sanitized() {
  tools/build.sh "$1" "$jobs" && ctest --preset "$1" --parallel 2
}

tools/setup.sh lint || exit 2
check "clang-tidy and ruff" make --no-print-directory lint
check "every file alone" alone
check "AddressSanitizer and UBSan" sanitized asan
check "ThreadSanitizer" sanitized tsan
check "CUDA compile" tools/cuda.sh "$jobs"
printf '\n%s' "$summary"
exit $failed
