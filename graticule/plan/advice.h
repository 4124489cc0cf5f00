// What to change where no layout works, or none fits: each answer is one that the planner has found to work.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "graticule/plan/planner.h"

namespace graticule {

/// Something fits once this is changed.
struct Remedy {
  std::string change;  ///< "start 24 ranks", "set data.batch = 2"
  Candidate best;      ///< of what fits then
};

/// The smallest changes under which something fits, one of each kind that helps: more ranks (the fewest, of
/// whole nodes where there are several), a leaner precision, moments in bf16, state in a file, a smaller
/// batch, a larger patch.
std::vector<Remedy> remedies_for(const Question& question);

/// The nearest numbers of ranks below and above that some layout of the recipe makes.
struct NearestRanks {
  std::optional<int> below, above;
};
NearestRanks nearest_ranks(const Question& question);

}  // namespace graticule
