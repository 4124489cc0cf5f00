// Checks that a layout computes what one rank computes: runs a small case of a recipe on all ranks in the
// recipe's layout and by each rank alone, and compares outputs, loss and gradients. `graticule check` prints
// the result.
#pragma once

#include <string>
#include <vector>

#include "graticule/comm/launch.h"
#include "graticule/recipe/options.h"

namespace graticule {

/// Largest differences from one rank in fp32, divided by the largest value there.
struct ParityLine {
  std::string what;  ///< "output", "loss", "gradient of blocks.3"
  double fp32 = 0;   ///< this layout in fp32
  double bf16 = 0,
         bf16_alone = 0;  ///< in bf16, this layout and one rank; 0 unless the recipe computes in bf16
};

struct Parity {
  Options options;  ///< of the small case: degrees as resolved
  int64_t tokens = 0, depth = 0, dim = 0;
  std::vector<ParityLine> lines;
  bool equal = false;  ///< fp32 within 1e-5 (gradients 2e-5); bf16 within 1e-3 + 2 bf16_alone
};

/// Runs and compares the small case. The whole [parallel] section, heads, token mode and patch are the
/// recipe's. Grid, width, number of blocks and variables, batch and tiles are small. The data are random.
/// Returns the same result on every rank. Collective over the world.
Parity compare_with_one_rank(const Options& recipe, const World& world);

/// The options of the small case, with every degree filled in, and its model. Refuses a layout that cannot
/// work.
std::pair<Options, ModelShape> small_case(const Options& recipe, int ranks);

}  // namespace graticule
