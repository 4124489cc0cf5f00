// Patches of a field, on plain memory.
#pragma once

#include <span>

#include "graticule/core/token_grid.h"

namespace graticule {

/// The places of the tokens that belong to `variable` (all of `tokens` where a token carries every variable).
Span places_of(const TokenGrid& grid, const Span& tokens, int64_t variable);

/// The rows of the grid that the places (patch_row * patch_columns + patch_column) need.
Span rows_of_places(const TokenGrid& grid, Span places);

/// Cuts `field_YX`, which holds the grid's rows `rows`, into the patches `places`: patch i goes to out[i *
/// stride ...], patch * patch values row-major, `off_grid` where a pixel lies off the grid.
void cut_patches(std::span<const float> field_YX, Span rows, const TokenGrid& grid, Span places, float* out,
                 int64_t stride, float off_grid = 0);

}  // namespace graticule
