// What a list of cells is, by their coordinates alone: HEALPix, a reduced Gaussian grid, other rows, or any points; and
// how large the cells are. coordinates.cpp asks it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "graticule/core/cells.h"

namespace graticule {

/// How far the coordinates of one cell may differ, in degrees of a great circle.
constexpr double cell_tolerance = 1e-3;

/// Whether two lists have the same cells in the same order, to cell_tolerance.
bool same_cells(const Cells& a, const Cells& b);

/// The cells at these places, in degrees; longitudes may be counted from any meridian. `areas`: as the file gives them,
/// all positive, in any unit: they count as parts of their sum, unless `unit_area` says what part of the sphere one
/// unit is. Without areas:
///   HEALPix        they are the same, exactly
///   rows           (several cells of one latitude follow each other) a row has the band between the latitudes
///                  half-way to its neighbours, as the rows of a sphere have (latitude_weights), and its cells share it
///   other points   they are taken to be the same, and `note` says so
/// Refuses latitudes beyond a pole, longitudes beyond [-360, 720], and areas that are not positive; `where` names the
/// arrays.
Cells cells_at(std::vector<double> latitudes, std::vector<double> longitudes,
               std::optional<std::vector<double>> areas, double unit_area, const std::string& where,
               std::string& note);

}  // namespace graticule
