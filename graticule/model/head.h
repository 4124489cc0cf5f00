// The last block of the chain: what each token says, as K outputs of P values (ModelShape::outputs). For a forecast
// these are the variables that it carries, and the pixels of its own patch; other tasks (train/task.h) have others.
//   full:                 by a linear map for the token's variable
//   aggregated, channels: by one linear map
//
// Legend: B batch, T this rank's tokens, K outputs of a token, P values of an output, C width.
#pragma once

#include "graticule/core/model_shape.h"
#include "graticule/core/span.h"
#include "graticule/parallel/chain.h"

namespace graticule {

/// x_BTC -> prediction_BTKP in fp32, with the layout of the input. `tokens`: this rank's tokens. Its lean
/// pair works on tiles of `tile_tokens` tokens.
Block prediction_head(const ModelShape& shape, const Span& tokens, int64_t tile_tokens = 4096);

}  // namespace graticule
