// The coordinates of one data set: what its dimensions are, and which scalars stand beside its arrays.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "graticule/data/cf.h"
#include "graticule/data/stored_array.h"

namespace graticule {

/// What one dimension, or one scalar coordinate, stands for.
struct CoordinateAxis {
  Coordinate kind = Coordinate::none;
  std::string name;            ///< of the array that says so
  std::vector<double> values;  ///< as stored; levels in hPa, leads in seconds
  std::vector<int64_t> times;  ///< of a time axis
  int validity = 0;            ///< of a time: how surely it says when a field is valid (cf.h)
};

struct Coordinates {
  std::map<std::string, CoordinateAxis> axes;     ///< by dimension
  std::map<std::string, CoordinateAxis> scalars;  ///< by name: levels, times and leads without a dimension
  std::map<std::string, double> others;           ///< scalars and axes of one value that are none of ours
  std::vector<std::string> notes;                 ///< what is not taken as it seems, and why
};

/// Reads every coordinate that an array of two or more dimensions needs. Where a dimension has several times,
/// that of validity wins over that of reference. Refuses a coordinate with a value that is missing or no
/// number.
Coordinates read_coordinates(const Dataset& data);

/// How far coordinates of one grid may differ, in degrees: 1e-3, or a twentieth of the spacing on a fine
/// grid.
double grid_tolerance(const std::vector<double>& coordinates);

/// The latitudes and longitudes that a field's dimensions span, and how they turn into the canonical ones:
/// south first, eastwards.
struct Plane {
  std::vector<double> latitudes, longitudes;  ///< canonical
  bool latitude_descending = false;           ///< in the file
  std::vector<int64_t> columns;               ///< canonical column -> column in the file
  bool as_stored = false;                     ///< columns lie in the canonical order
};

/// Longitudes start at the smallest in [0, 360), or, of a region that lies on both sides of 0, at its west
/// edge, below 0: neighbours stay neighbours. Refuses latitudes that neither rise nor fall or lie beyond a
/// pole, and a longitude given twice; `where` names the arrays.
Plane plane_of(const CoordinateAxis& rows, const CoordinateAxis& columns, const std::string& where);

}  // namespace graticule
