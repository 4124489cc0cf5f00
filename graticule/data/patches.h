// Cuts fields into patches in plain memory. loader.h has the same for tensors; token_grid.h numbers the
// tokens. A *place* is the index of a patch on the grid. Rows are those of all
// layers (TokenGrid::lines).
#pragma once

#include <span>

#include "graticule/core/token_grid.h"

namespace graticule {

/// The places of the tokens in `tokens` that carry `variable`. In the modes where each token carries all
/// variables, these are all places of `tokens`.
Span places_of(const TokenGrid& grid, const Span& tokens, int64_t variable);

/// The rows of the grid from the first to the last that these places cover.
Span rows_of_places(const TokenGrid& grid, Span places);

/// Cuts patches out of `field_YX`, which contains the grid's rows `rows` (rows.size() x columns). Patch i of
/// `places` is written to out[i * stride ...] as grid.pixels() values, row-major. Pixels off the grid get the
/// value `off_grid`.
void cut_patches(std::span<const float> field_YX, Span rows, const TokenGrid& grid, Span places, float* out,
                 int64_t stride, float off_grid = 0);

}  // namespace graticule
