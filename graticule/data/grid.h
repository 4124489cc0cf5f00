// The coordinates of one data set, and how its axes turn into the canonical ones: south first, east from [0,
// 360).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "graticule/data/cf.h"
#include "graticule/data/stored_array.h"

namespace graticule {

struct Axis {
  Coordinate kind = Coordinate::none;
  std::vector<double> values;  ///< as stored; levels in hPa
  std::vector<int64_t> times;  ///< of a time axis
};

struct Grid {
  std::map<std::string, Axis> axes;             ///< by dimension name
  std::map<std::string, double> scalar_levels;  ///< scalar pressure coordinates by name, hPa
  std::vector<double> latitudes, longitudes;    ///< canonical
  bool latitude_descending = false;
  std::vector<int64_t> columns;  ///< canonical column -> column in the file
};

/// Reads every coordinate of a data set. Latitudes and longitudes stay empty when it has none.
Grid read_grid(const Dataset& data);

}  // namespace graticule
