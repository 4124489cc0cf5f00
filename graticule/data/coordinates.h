// Reads the coordinates of one data set: what each dimension means (latitude, level, time, ...) and which
// coordinates have one value and no dimension (scalars). grid_source.cpp uses it to make fields out of
// arrays.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "graticule/core/cells.h"
#include "graticule/core/choices.h"
#include "graticule/data/calendar.h"
#include "graticule/data/cf.h"
#include "graticule/data/stored_array.h"

namespace graticule {

/// The meaning of one dimension or of one scalar coordinate.
struct CoordinateAxis {
  Coordinate kind = Coordinate::none;
  std::string name;                         ///< of the array that gives the meaning
  std::vector<double> values;               ///< as stored; levels in hPa, leads in seconds
  std::vector<int64_t> times;               ///< of a time axis
  Calendar calendar = Calendar::gregorian;  ///< of the times
  int validity = 0;  ///< of a time: how surely it is the time of validity (validity_of in cf.h)
};

struct Coordinates {
  std::map<std::string, CoordinateAxis> axes;                      ///< by dimension
  std::map<std::string, std::shared_ptr<const Cells>> cells = {};  ///< by dimension, of dimensions of cells
  std::map<std::string, CoordinateAxis> scalars;  ///< by name: levels, times and leads without a dimension
  std::map<std::string, double> others;           ///< scalars and axes of one value of any other kind
  std::vector<std::string> notes;  ///< for the user: which coordinate is not used as it seems, and why
};

/// Reads the cells and every coordinate that an array of two or more dimensions needs. When a dimension has several time
/// coordinates, the time of validity is preferred to the reference time of forecasts. Refuses a coordinate
/// value that is missing or not finite.
///
/// `grid`: sphere or cells. Cells are looked for only where they are wanted.
Coordinates read_coordinates(const Dataset& data, GridKind grid);

/// How far coordinates of the same grid may differ, in degrees: 1e-3, or on a fine grid a twentieth of the
/// spacing.
double grid_tolerance(const std::vector<double>& coordinates);

/// The latitudes and longitudes of a field, and how to reorder the file's rows and columns into the canonical
/// order: south first, then eastwards.
struct Plane {
  std::vector<double> latitudes, longitudes;  ///< canonical
  bool latitude_descending = false;           ///< in the file
  std::vector<int64_t> columns;               ///< canonical column -> column in the file
  bool as_stored = false;                     ///< the file's columns are in canonical order
  bool closed = false;  ///< the file's last column is its first one again, 360 degrees on: it is left out
  std::shared_ptr<const Cells> cells = {};  ///< the rows are these, and there is one column

  int64_t rows() const { return std::ssize(cells ? cells->latitudes : latitudes); }
};

/// The canonical plane of two axes. Longitudes start at the smallest one in [0, 360). A region on both sides
/// of 0 degrees starts at its west edge, with negative longitudes there, so that neighbours stay neighbours.
/// A last column 360 degrees from the first one repeats it and is left out. Refuses latitudes that are not
/// monotonic or beyond a pole, and any other longitude given twice; `where` names the arrays in messages.
Plane plane_of(const CoordinateAxis& rows, const CoordinateAxis& columns, const std::string& where);

}  // namespace graticule
