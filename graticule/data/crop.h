// Crops: parts of the data's fields that are as large as the model's grid (loader.h).
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "graticule/core/token_grid.h"
#include "graticule/data/source.h"

namespace graticule {

/// Where a crop begins in the data's field.
struct Crop {
  int64_t layer = 0, row = 0, column = 0;
};

/// The largest begin of a crop as large as `grid`; all 0 when the grid is that of the data.
Crop largest_begin(const Catalog& catalog, const TokenGrid& grid);
/// The crop in the middle of the field.
Crop middle_crop(const Catalog& catalog, const TokenGrid& grid);

/// Reads rows of the model's grid (TokenGrid::lines) of one crop, as Source::read does of the data's.
void read_crop(Source& source, const TokenGrid& grid, const std::string& variable, int64_t time_index,
               const Crop& crop, Span rows, std::span<float> out);

}  // namespace graticule
