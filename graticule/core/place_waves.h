// The waves by which the queries and keys of a block know the places of their tokens (model/query_key.h). They
// follow from the grid of patches and from the width of a head alone.
//
// An axis of the grid has whole waves where it is periodic, so that there is no seam, and half waves elsewhere.
//
// Legend: n patches along an axis, D width of a head.
#pragma once

#include <cstdint>
#include <vector>

#include "graticule/core/token_grid.h"

namespace graticule {

/// The numbers of waves along each axis of the grid.
struct PlaceWaves {
  std::vector<int64_t> columns, rows;
  std::vector<int64_t> layers = {};  ///< none unless the grid is a volume

  const std::vector<int64_t>& along(GridAxis axis) const;
  int64_t count() const { return static_cast<int64_t>(columns.size() + rows.size() + layers.size()); }
  /// Features of a head: a cosine and a sine of each wave.
  int64_t features() const { return 2 * count(); }
};

/// The axes of a grid in the order of the waves: columns, rows, and layers on a volume.
std::vector<GridAxis> wave_axes(const TokenGrid& grid);

/// The angle of a wave of number 1 over the whole of an axis: 2 pi if it is periodic, else pi.
double wave_turn(const TokenGrid& grid, GridAxis axis);

/// The narrowest head with waves of this form along so many axes. 1 for PlaceForm::added.
int64_t narrowest_head(PlaceForm form, int64_t axes = 2);

/// Waves by octaves: 1, 2, 4 .. n/4 whole or n/2 half waves, so that the finest wave tells neighbours apart and
/// the coarsest the whole grid. They take at most 3/4 of a head's features. Where they do not fit, the axes keep
/// their shares of the waves: the coarsest, the finest, and octaves evenly between them. Precondition: the head
/// is wide enough (narrowest_head).
PlaceWaves octave_waves(const TokenGrid& grid, int64_t head_dim);

/// Rotary waves: floor(D/4) along each axis, floor(D/6) on a volume, evenly from 1 to about n/2 whole or n half
/// waves. Precondition: as octave_waves.
PlaceWaves rotary_waves(const TokenGrid& grid, int64_t head_dim);

}  // namespace graticule
