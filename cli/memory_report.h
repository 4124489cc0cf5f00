// Prints the accounts of a memory ledger as a table or JSON, for `train --memory` and `plan --dry-run`.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "graticule/train/memory.h"

namespace graticule {

/// As JSON: {"peak_bytes": .., "accounts": {"weights": .., ..}}
nlohmann::json to_json(const Booked& booked);

/// The same with the rank and the peak of its process: {"rank": .., "resident_peak_bytes": .., ...}
nlohmann::json to_json(const RankMemory& memory);

/// Prints the fullest rank's memory to standard output, as a table or one JSON object.
void print_memory(const RankMemory& memory, bool json);

}  // namespace graticule
