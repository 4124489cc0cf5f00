// What a file with one array for all variables does not say itself: section [data.layout] of a recipe, for
// open_source (data/source.h). docs/data.md has the rules.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace graticule {

struct ChannelLayout {
  std::vector<std::string> names;  ///< of the variables, in the array's order; empty: those of the file
  std::string start;               ///< the first time; "": the first of the year that the file is named after
  int64_t step_hours = 0;          ///< between times; 0: the file has times
  /// Degrees of the first and of the last row (column); empty: the file has them.
  std::vector<double> latitudes, longitudes;
  int64_t member = 0;  ///< of an ensemble: the index of the one that is read
};

}  // namespace graticule
