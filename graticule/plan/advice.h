// Advice for a recipe that no layout fits: changes of the recipe or of the number of ranks. The planner has
// checked each of them. `graticule plan` prints them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "graticule/plan/planner.h"

namespace graticule {

/// A change after which at least one layout fits.
struct Remedy {
  std::string change;  ///< "start 24 ranks", "set data.batch = 2"
  Candidate best;      ///< the fastest layout that fits after the change
};

/// The smallest change of each kind that helps. The kinds: more ranks (whole nodes if they need several),
/// precision bf16, moments in bf16, optimizer state in a file (CPU only), a smaller batch, a larger patch.
/// Each change is tried alone.
std::vector<Remedy> remedies_for(const Question& question);

/// The nearest smaller and larger numbers of ranks for which the recipe has a layout; nothing where there is
/// none. Memory is not considered.
struct NearestRanks {
  std::optional<int> below, above;
};
/// Looks as far as the cluster's devices, and above at most to four times the ranks plus 64.
NearestRanks nearest_ranks(const Question& question);

}  // namespace graticule
