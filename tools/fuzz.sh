#!/bin/sh
# fuzz.sh MINUTES [JOBS]: damages valid data sets at random and reads them under AddressSanitizer and UBSan, MINUTES for each
# parser of bytes. A finding ends the run of its data set and prints the seed; `build/asan/tests/read_mutated FOLDER NAME GRID 0 SEED`
# repeats it. Exit 1: something was found.
set -eu
cd "$(dirname "$0")/.."
tools/build.sh asan "${2:-1}" read_mutated
rm -rf build/fuzz && mkdir -p build/fuzz
.venv/bin/python tests/fuzz/make_seeds.py build/fuzz > build/fuzz.log 2>&1
# A size that is damaged may ask for any amount of memory: an error, as on a small machine.
export ASAN_OPTIONS=allocator_may_return_null=1:max_allocation_size_mb=4096 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
failed=0
while read -r folder name grid; do
  build/asan/tests/read_mutated "$folder" "$name" "$grid" "$1" || failed=1
done < build/fuzz.list
exit $failed
