// What a command of `graticule data` reads: what its options name, or what a recipe reads, or all that there is.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "graticule/core/channel_layout.h"
#include "graticule/core/image_layout.h"
#include "graticule/data/source.h"
#include "graticule/data/time.h"

namespace graticule {

/// The variables named, or all of the catalogue.
std::vector<std::string> chosen_variables(const std::vector<std::string>& named, const Catalog& catalog);

/// The range named (two times, or none), or that of all times; empty where there are none.
TimeRange chosen_range(const std::vector<std::string>& named, const Catalog& catalog);

struct DataChoice {
  std::string path;  ///< of a data set, or of a recipe (RECIPE.toml)
  std::vector<std::string> set, variables, range;
};

struct ChosenData {
  std::string path;  ///< of the data set
  ChannelLayout layout;
  ImageLayout images;
  std::shared_ptr<Source> source;
  std::vector<std::string> variables;
  std::vector<int64_t> times;   ///< indices in the catalogue, in order
  bool missing_allowed = true;  ///< false for a recipe that refuses missing values
};

/// Opens a data set, or that of a recipe. Without a choice a recipe gives its variables and all its ranges.
/// Refuses an unknown variable, a range without times, and `set` without a recipe.
ChosenData open_chosen(const DataChoice& choice);

}  // namespace graticule
