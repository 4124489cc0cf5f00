#!/bin/sh
# tidy.sh JOBS: clang-tidy over every source file. It reads its own configured folder, since GCC's precompiled header is not for it.
set -eu
cd "$(dirname "$0")/.."
cmake --preset release -B build/tidy -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON > /dev/null
find graticule cli python -name '*.cpp' ! -name 'no_nccl.cpp' |
  xargs -P "$1" -n 1 clang-tidy-14 --quiet -p build/tidy
