// A ledger for people and for machines, as `train --memory` and `plan --dry-run` print it.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "graticule/train/memory.h"

namespace graticule {

/// {"peak_bytes": .., "accounts": {"weights": .., ..}}
nlohmann::json to_json(const Booked& booked);

/// Prints the rank with the largest peak to standard output.
void print_memory(const RankMemory& memory, bool json);

}  // namespace graticule
