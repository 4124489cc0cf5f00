#!/bin/sh
# build.sh PRESET JOBS [TARGET]: configures the build if it is new or if the presets or .venv changed, then builds.
set -eu
cd "$(dirname "$0")/.."
folder="build/$1"
for changed in CMakePresets.json .venv/.stamp .venv/.program .venv/.tests; do
  if [ -e "$changed" ] && [ ! "$folder/build.ninja" -nt "$changed" ]; then
    cmake --preset "$1"
    touch "$folder/build.ninja"
    break
  fi
done
cmake --build "$folder" --parallel "$2" --target "${3:-all}"
