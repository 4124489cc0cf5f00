#!/usr/bin/env bash
# Trains three steps on one rank (process), then three more on three ranks with another layout. Any number of ranks can
# read a checkpoint, in any layout.
set -euo pipefail
cat > recipe.toml <<'RECIPE'
[data]
path = "synthetic:rows=8,columns=12,variables=6,times=200"
train = ["2001-01-01", "2001-02-10"]
[model]
dim = 32
heads = 4
[train]
steps = 6
warmup = 2
[run]
out = "run"
RECIPE
graticule train recipe.toml --set train.steps=3
mpiexec -n 3 graticule train recipe.toml --resume auto --set parallel.context=3 --set parallel.shard=full
