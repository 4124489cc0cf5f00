// The waves by which the queries and keys of a block know the places of their tokens (model/query_key.h). They
// follow from the grid of patches and from the width of a head alone.
//
// Legend: Q columns and R rows of patches, D width of a head.
#pragma once

#include <cstdint>
#include <vector>

#include "graticule/core/token_grid.h"

namespace graticule {

/// The waves over the grid of patches.
struct PlaceWaves {
  std::vector<int64_t> columns;  ///< numbers of whole waves over the columns, so that there is no seam
  std::vector<int64_t> rows;     ///< numbers of half waves over the rows

  int64_t count() const { return static_cast<int64_t>(columns.size() + rows.size()); }
  /// Features of a head: a cosine and a sine of each wave.
  int64_t features() const { return 2 * count(); }
};

/// The narrowest head with waves by octaves, and the narrowest with rotary waves.
inline constexpr int64_t narrowest_aimed = 6, narrowest_rotary = 4;

/// Waves by octaves: 1, 2, 4 .. Q/4 over the columns and 1, 2, 4 .. R/2 over the rows, so that the finest wave
/// tells neighbours apart and the coarsest the whole grid. They take at most 3/4 of a head's features. Where
/// they do not fit, columns and rows keep their shares of the waves: the coarsest, the finest, and octaves
/// evenly between them. Precondition: head_dim is at least narrowest_aimed.
PlaceWaves octave_waves(const TokenGrid& grid, int64_t head_dim);

/// Rotary waves: floor(D/4) over the columns and as many over the rows, evenly from 1 to about Q/2 whole and R
/// half waves. Precondition: head_dim is at least narrowest_rotary.
PlaceWaves rotary_waves(const TokenGrid& grid, int64_t head_dim);

}  // namespace graticule
