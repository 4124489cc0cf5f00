// Does this layout compute what one rank computes? A small case of a recipe, run on all ranks as the recipe
// lays them out and by each rank alone, compared in outputs and gradients.
#pragma once

#include <string>
#include <vector>

#include "graticule/comm/launch.h"
#include "graticule/recipe/options.h"

namespace graticule {

/// Largest differences, relative to the largest value that one rank has in fp32.
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
  bool equal = false;  ///< fp32 within 1e-5 (gradients 2e-5), bf16 within twice one rank's own rounding
};

/// Heads, token mode, patch, blocks a stage and the whole [parallel] section are the recipe's; grid, width and
/// tiles are small; the data are random. Collective over the world; the same result on every rank.
Parity compare_with_one_rank(const Options& recipe, const World& world);

/// The small case's options, every degree filled in, and its model. Refuses a layout that cannot work.
std::pair<Options, ModelShape> small_case(const Options& recipe, int ranks);

}  // namespace graticule
