// The transformer block: pre-norm attention and MLP, each added to a residual stream.
//   x = x + drop(out(attention(q, k, v)))     q, k, v = qkv(norm1(x))
//   x = x + drop(fc2(gelu(fc1(norm2(x)))))
//
// Legend: B batch, T this rank's tokens, C width.
#pragma once

#include "graticule/attention/attention.h"
#include "graticule/core/model_shape.h"
#include "graticule/parallel/chain.h"
#include "graticule/parallel/tensor.h"

namespace graticule {

/// Block `index` of `shape.depth`: x_BTC -> x_BTC. `tokens`: this rank's tokens. The block itself does not
/// know which ranks have the other tokens; `attention` and `layers` do. The ranks of `layers` (the tensor
/// axis) share the key heads, with their query heads, and the hidden units of the MLP; parameters are cut
/// accordingly. `attention` is called with this rank's heads and all tokens of that group. The lean pair
/// works on tiles of `tile_tokens` tokens.
Block transformer_block(const ModelShape& shape, int64_t index, const Span& tokens, Attention attention,
                        const TensorLayers& layers = {}, int64_t tile_tokens = 4096);

}  // namespace graticule
