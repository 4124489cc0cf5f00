// Whether a recipe fits in memory, before any of it is allocated.
#pragma once

#include <cstdint>
#include <optional>

#include "graticule/comm/launch.h"
#include "graticule/train/build.h"

namespace graticule {

/// Every rank dry-runs itself and compares its peak with `limit` (bytes; nothing: all fits). Resolves
/// train.activations = auto to the first policy that fits on all ranks; refuses a recipe that does not fit,
/// with the ledger and what would. Collective.
void fit_in_memory(Options& options, const ModelShape& shape, const World& world, const Group& everyone,
                   std::optional<int64_t> limit);

}  // namespace graticule
