// The cells of a grid that is a list of cells: HEALPix, a reduced Gaussian grid, the points of a model. The readers of
// the data room make them; the numbering of tokens (token_grid.h) holds them, because positions enter the model by
// their coordinates and scores weigh by their areas.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace graticule {

struct Cells {
  std::string name;  ///< "HEALPix, nside 64, nested", "reduced Gaussian O96", "cells"
  std::vector<double> latitudes, longitudes;  ///< degrees north and east, of each cell
  std::vector<double>
      areas;  ///< of each cell, positive, as a part of the sphere: those of a whole one add up to 1
};

/// Where something lies on the sphere, in radians: -pi/2 to pi/2 northwards, 0 to 2 pi eastwards.
struct Position {
  double north, east;
};

/// The middles of runs of `length` cells (the last one may be shorter): the directions of the mean of the cells'
/// unit vectors.
std::vector<Position> middles_of_runs(const Cells& cells, int64_t length);

/// The areas of all cells together.
double part_of_sphere(const Cells& cells);

/// So many cells of one size along a spiral from the north pole to the south pole (Fibonacci's lattice), for cases
/// without data.
Cells spiral_cells(int64_t count);

}  // namespace graticule
