#!/usr/bin/env bash
# Makes synthetic data, trains a small model over two ranks, scores it, forecasts with it, and draws the pictures and the page.
# `make demo` builds the program and calls this script. It writes only to runs/.
set -euo pipefail
cd "$(dirname "$0")/.."
graticule=build/release/graticule
mpiexec=.venv/bin/mpiexec
run=runs/demo

step=0
say() {
  step=$((step + 1))
  printf '\n== %d of 5: %s\n' "$step" "$*"
}

mkdir -p runs
rm -rf "$run"
say "a year of synthetic data: 12 variables on a 16 x 32 grid, every 6 hours"
if [ -d runs/demo-data.zarr ]; then
  echo "runs/demo-data.zarr is there already"
else
  "$graticule" data synth runs/demo-data.zarr --rows 16 --columns 32 --variables 12 --times 1460
fi

say "training with full attention over every variable, two ranks sharing each sample's tokens"
"$mpiexec" -n 2 "$graticule" train recipes/demo.toml

say "scoring on held-out times, beside persistence and climatology"
"$mpiexec" -n 2 "$graticule" eval "$run" --steps 3 --samples 40

say "forecasting three days"
"$mpiexec" -n 2 "$graticule" forecast "$run" --init 2001-12-01 --steps 3 --out "$run/forecast.nc" --truth "$run/truth.nc"

say "drawing"
PYTHONPATH=python .venv/bin/python -m graticule.plot "$run"
"$graticule" report "$run"
printf '\nThe picture is %s; the scores are in %s.\n' "$run/plots/overview.png" "$run/scores.json"
printf 'Look at the whole run in a browser: file://%s\n' "$PWD/$run/report.html"
