// Checks before training that a recipe fits in memory, and chooses the activation policy if the recipe leaves
// it open (train.activations = "auto"). settle.h calls it.
#pragma once

#include <cstdint>
#include <optional>

#include "graticule/comm/launch.h"
#include "graticule/train/build.h"

namespace graticule {

/// Each rank makes a dry run of itself and compares its peak with `limit` (bytes; nothing: everything fits).
/// Replaces activations = auto by the fastest policy that fits on all ranks. Refuses a recipe that does not
/// fit; the message has the rank's ledger and the policies that would fit. Collective.
void fit_in_memory(Options& options, const ModelShape& shape, const World& world, const Group& everyone,
                   std::optional<int64_t> limit);

}  // namespace graticule
