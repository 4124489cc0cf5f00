// Finds which dimension of an array is time, level, row or column, and whether the array is a field on
// latitudes and longitudes, or on cells, at all. GridSource (grid_source.cpp) asks it for every array of a data set.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "graticule/data/coordinates.h"

namespace graticule {

/// The dimensions of a field. All other dimensions of the array have size 1.
struct FieldRoles {
  std::optional<size_t> time, level;
  size_t row = 0;                           ///< latitudes, or cells
  std::optional<size_t> column;             ///< longitudes; none on cells
  std::vector<int64_t> times;               ///< of the time dimension, or of a scalar time; else empty
  Calendar calendar = Calendar::gregorian;  ///< of the times
  std::vector<double> levels;               ///< hPa, in the same way
  bool scalar_level = false;                ///< the level is a scalar coordinate, not a dimension
  std::map<std::string, double> beside;  ///< other scalar coordinates: an ensemble member, a height, a depth
};

/// The roles of an array's dimensions, or nothing when it is not a field. An array that looks like a field
/// but cannot be used also gets a note with the reason (curvilinear or rotated grid, an unknown dimension, an
/// unreadable time). Refuses an array whose size differs from its coordinate's.
std::optional<FieldRoles> roles_of(const ArrayHeader& header, const Dataset& data,
                                   const Coordinates& coordinates, std::vector<std::string>& notes);

}  // namespace graticule
