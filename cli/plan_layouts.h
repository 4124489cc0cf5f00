// `graticule plan RECIPE --cluster NAME --ranks N`: the fastest layouts that fit, and why.
#pragma once

#include <string>
#include <vector>

namespace graticule {

struct LayoutArguments {
  std::string recipe;
  std::vector<std::string> set;  ///< section.key=value
  std::string cluster;           ///< name or path
  int ranks = 0;
  bool free = false;    ///< forget what the recipe says of its layout
  std::string explain;  ///< "data=2,shard=full": keys of [parallel], and activations; empty: nothing
  std::string write;    ///< file for the recipe with the best layout; empty: none
};

/// Prints the best layouts, the reasons, the comparison that `explain` asks for. Refuses what `train`
/// refuses, and a recipe of which nothing fits, with what would.
int show_layouts(const LayoutArguments& arguments, bool json);

}  // namespace graticule
