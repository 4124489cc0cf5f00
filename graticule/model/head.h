// The last block of the chain: each token predicts the pixels of its own patch.
//   full:                 the token's own variable, by a linear map for that variable
//   aggregated, channels: every variable, by one linear map
//
// Legend: B batch, T this rank's tokens, K variables a token carries, P pixels of a patch, C width.
#pragma once

#include "graticule/core/model_shape.h"
#include "graticule/core/span.h"
#include "graticule/parallel/chain.h"

namespace graticule {

/// x_BTC -> prediction_BTKP in fp32, with the layout of the input. `tokens`: this rank's tokens. Its lean
/// pair works on tiles of `tile_tokens` tokens.
Block prediction_head(const ModelShape& shape, const Span& tokens, int64_t tile_tokens = 4096);

}  // namespace graticule
