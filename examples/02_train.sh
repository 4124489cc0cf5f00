#!/usr/bin/env bash
# A whole run: makes synthetic data, trains on two ranks (processes), scores the model and makes a forecast.
# --set section.key=value changes one setting of the recipe.
set -euo pipefail
graticule data synth weather.zarr --rows 8 --columns 16 --variables 5 --times 240
cat > recipe.toml <<'RECIPE'
[data]
path = "weather.zarr"
variables = ["temperature@850", "geopotential@500", "2m_temperature"]
train = ["2001-01-01", "2001-02-10"]
test = ["2001-02-12", "2001-02-28"]
[model]
preset = "tiny"
[train]
steps = 5
[run]
out = "run"
RECIPE
mpiexec -n 2 graticule train recipe.toml --set train.lr=2e-3 --set parallel.ulysses=2
mpiexec -n 2 graticule eval run --steps 2 --samples 4
graticule forecast run --init 2001-02-12 --steps 4 --out forecast.zarr
