// Tokens of the mode `full` that know the other variables of their place (ModelShape::adds_merged). For the token of
// variable v at place p, beside its own embedding x_vp:
//
//   y_vp = x_vp + sum over all variables u of M_u patch_up      M = "merged.weight" [V, C, I]
//
// The sum is what the mode `channels` makes its token of. So no block must gather the variables of a place first. The
// variables of a place may be on several ranks: each rank sums over its own tokens, and one all-reduce adds the sums, in
// fp32 [B, places, C]. Backward does the same with the gradient.
//
// Legend: B batch, T this rank's tokens, V variables, I input values of a token, C width.
#pragma once

#include "graticule/core/span.h"
#include "graticule/core/token_grid.h"
#include "graticule/parallel/chain.h"

namespace graticule {

/// The block `x` plus, for each token, the sum of `part` over all tokens of its place. Both blocks give [B, T, C] for
/// this rank's `tokens`, the visible ones of them with Inputs::visible. Parameters and name are those of `x`. The result
/// is collective over `holders`, all ranks that have tokens of a sample. A forward and a backward of the lean pair send
/// as much as those of run().
Block plus_place_sums(Block x, Block part, const TokenGrid& grid, const Span& tokens, const Group& holders);

}  // namespace graticule
