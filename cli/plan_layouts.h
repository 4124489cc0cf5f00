// Prints the fastest layouts that fit, and the reasons: `graticule plan RECIPE --cluster NAME --ranks N`.
#pragma once

#include <string>
#include <vector>

namespace graticule {

struct LayoutArguments {
  std::string recipe;
  std::vector<std::string> set;  ///< section.key=value
  std::string cluster;           ///< name or path
  int ranks = 0;
  bool free = false;    ///< ignore the recipe's layout and activations
  std::string explain;  ///< "data=2,shard=full": keys of [parallel], and activations; empty: nothing
  std::string write;    ///< file for the recipe with the best layout; empty: none
};

/// Prints the best layouts, the reasons, and the comparison that `explain` asks for; returns the exit code.
/// Refuses what `train` refuses. Refuses a recipe of which no layout fits, and says which changes would make
/// it fit.
int show_layouts(const LayoutArguments& arguments, bool json);

}  // namespace graticule
