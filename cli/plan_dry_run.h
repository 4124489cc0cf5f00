// Prints what one rank of a run would allocate and send: `graticule plan RECIPE --ranks N --dry-run RANK`.
#pragma once

#include <string>
#include <vector>

#include "graticule/dry/dry_run.h"

namespace graticule {

struct DryRunArguments {
  std::string recipe;
  std::vector<std::string> set;  ///< section.key=value
  DryRank place;
};

/// Prints the tensors at the peak of a step and the traffic of a step; returns the exit code. Refuses what
/// `train` refuses.
int show_dry_run(const DryRunArguments& arguments, bool json);

}  // namespace graticule
