// Tiles: parts of the data's fields, each as large as the model's grid, that cover them whole. So a model that was
// trained on crops says something about every pixel, and sees no place that it has not been trained on.
#pragma once

#include <vector>

#include "graticule/data/crop.h"

namespace graticule {

struct Tile {
  Crop begin;  ///< in the data's field
  /// The pixels that count, in the tile: those that are nearer to its middle than to that of the tiles beside it, so
  /// that each pixel of the field counts in one tile.
  Span layers, rows, columns;
};

/// The tiles of a field in the order of their places. They lie evenly along each axis, as few as overlap by a quarter of
/// their side or more. One where the grid is that of the data.
std::vector<Tile> tiles_of(const Catalog& catalog, const TokenGrid& grid);

/// The crop in the middle of the field, all of which counts.
Tile middle_tile(const Catalog& catalog, const TokenGrid& grid);

}  // namespace graticule
