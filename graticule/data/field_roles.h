// Which dimension of an array is which, and whether it is a field on latitudes and longitudes at all.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "graticule/data/coordinates.h"

namespace graticule {

/// The dimensions of a field; the others have size 1.
struct FieldRoles {
  std::optional<size_t> time, level;
  size_t row = 0, column = 0;
  std::vector<int64_t> times;  ///< of the time dimension, or the one of a scalar coordinate; else none
  std::vector<double> levels;  ///< hPa, likewise
  bool scalar_level = false;   ///< the level stands beside the array
  std::map<std::string, double> beside;  ///< other coordinates of one value: a member, a height, a depth
};

/// Nothing for what is no field; a note too where it looks like one that cannot be used (a curvilinear or
/// rotated grid, a dimension of another kind, a time that cannot be read). Refuses an array whose size
/// differs from its coordinate's.
std::optional<FieldRoles> roles_of(const ArrayHeader& header, const Dataset& data,
                                   const Coordinates& coordinates, std::vector<std::string>& notes);

}  // namespace graticule
