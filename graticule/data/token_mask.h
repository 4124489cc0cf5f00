// Masks of tokens for masked autoencoding: which tokens of a sequence the model reads. A mask depends on the seed and
// on the number of the draw alone, so all ranks draw the same one.
#pragma once

#include <cstdint>
#include <vector>

#include "graticule/core/choices.h"
#include "graticule/core/token_grid.h"

namespace graticule {

struct TokenMask {
  int64_t visible = 0;  ///< tokens that the model reads; 0: all, there is no mask
  MaskKind kind = MaskKind::random;
  int64_t block = 1;  ///< patches along a side of a box (MaskKind::block)
};

/// The visible tokens of draw number `draw`, ascending: exactly mask.visible of them.
///   random    each token has the same chance
///   block     boxes of block^n neighbouring patches are hidden one after the other; of the last one a part
///   variable  whole variables are hidden one after the other (mode full); of the last one a part
std::vector<int64_t> visible_tokens(const TokenMask& mask, const TokenGrid& grid, uint64_t seed,
                                    int64_t draw);

}  // namespace graticule
