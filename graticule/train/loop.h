// The cadence of a run: steps, log lines, evaluations, checkpoints, and a clean end when a signal asks for
// it.
#pragma once

#include "graticule/comm/launch.h"
#include "graticule/core/ledger.h"
#include "graticule/train/run.h"

namespace graticule {

/// Trains until the recipe's last step, or until SIGTERM, SIGINT or SIGHUP reaches any rank (then a
/// checkpoint is written first). `ledger` has the rank's tensors, for the metrics. Collective. Gives true
/// when all steps were made, false when a signal ended it.
bool train(Run& run, const World& world, bool json, const Ledger& ledger);

}  // namespace graticule
