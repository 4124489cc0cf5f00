// The transformer block as a pair that keeps little: tiles of tokens, groups of heads.
#pragma once

#include "graticule/attention/attention.h"
#include "graticule/core/model_shape.h"
#include "graticule/parallel/chain.h"
#include "graticule/parallel/tensor.h"

namespace graticule {

/// The pair of transformer_block(shape, index, ...). Attention runs by attention.head_groups groups of heads
/// (at most a rank's key heads): a group is projected, exchanged and attended, and the next one's exchange is
/// under way meanwhile, so attention's intermediates are those of two groups (the idea of UPipe, arXiv
/// 2602.21196). The memo holds attention's output and log-sum-exp.
LeanBlock lean_transformer_block(const ModelShape& shape, int64_t index, const Attention& attention,
                                 const TensorLayers& layers, int64_t tile_tokens);

}  // namespace graticule
