// `graticule plan RECIPE --ranks N --dry-run RANK`: what one rank of a run would hold and send.
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

/// Prints the ledger of the peak and the traffic of a step. Refuses what `train` refuses.
int show_dry_run(const DryRunArguments& arguments, bool json);

}  // namespace graticule
