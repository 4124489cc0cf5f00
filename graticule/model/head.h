// Tokens to fields: the chain's last block. Each token predicts the pixels of its own patch.
//   full:                 its own variable, by a linear map of that variable
//   aggregated, channels: every variable, by one linear map
#pragma once

#include "graticule/core/model_shape.h"
#include "graticule/core/span.h"
#include "graticule/parallel/chain.h"

namespace graticule {

/// x_BTC -> prediction_BTKP in fp32, laid out as the input was; its lean pair by tiles of `tile_tokens`.
Block prediction_head(const ModelShape& shape, const Span& tokens, int64_t tile_tokens = 4096);

}  // namespace graticule
