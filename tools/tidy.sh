#!/bin/sh
# tidy.sh JOBS: runs clang-tidy over the source files. It configures a build folder of its own, where every file is compiled
# alone and without GCC's precompiled header. The CPU kernels are left out: they use processor features and captured
# structured bindings that clang 14 does not know.
set -eu
cd "$(dirname "$0")/.."
cmake --preset release -B build/tidy -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON -DGRATICULE_CHUNKS=OFF > /dev/null
find graticule cli bench -name '*.cpp' ! -name 'nccl.cpp' ! -name read_fields.cpp ! -path '*/kernel/flash_*' |
  xargs -P "$1" -n 1 clang-tidy-14 --quiet -p build/tidy --extra-arg=-Wno-gnu-zero-variadic-macro-arguments
