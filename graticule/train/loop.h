// The training loop: steps, log lines, evaluations, checkpoints, and a clean end when a signal asks for it.
#pragma once

#include "graticule/comm/launch.h"
#include "graticule/core/ledger.h"
#include "graticule/train/run.h"

namespace graticule {

/// Trains until the recipe's last step, or until SIGTERM, SIGINT or SIGHUP reaches any rank. At the end it
/// writes a checkpoint in either case. `json`: prints JSON lines instead of progress. `ledger` has the peak
/// of this rank's tensors, for the metrics. Returns false when a signal ended the training. Fails when the
/// loss or the gradient norm is not finite. Collective over the world.
bool train(Run& run, const World& world, bool json, const Ledger& ledger);

}  // namespace graticule
