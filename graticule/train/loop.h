// The training loop: steps, log lines, evaluations, checkpoints, and a clean end when a signal asks for it.
#pragma once

#include <cstdint>
#include <optional>

#include "graticule/comm/launch.h"
#include "graticule/core/ledger.h"
#include "graticule/train/run.h"

namespace graticule {

/// Trains until the recipe's last step, or until SIGTERM, SIGINT or SIGHUP reaches any rank. At the end it
/// writes a checkpoint in either case. Checkpoints are written while training goes on, from a copy that takes the
/// memory which `limit` (bytes of a rank's tensors; nothing: no limit) leaves. `json`: prints JSON lines instead of progress. `ledger` has the peak
/// of this rank's tensors, for the metrics. Returns false when a signal ended the training. A loss or a gradient
/// that is not finite is treated as train.on_bad says (recover.h). Collective over the world.
bool train(Run& run, const World& world, bool json, const Ledger& ledger, std::optional<int64_t> limit);

}  // namespace graticule
