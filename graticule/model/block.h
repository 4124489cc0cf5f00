// The transformer block: pre-norm attention and MLP, each with a residual.
//   x = x + drop(out(attention(q, k, v)))     q, k, v = qkv(norm1(x))
//   x = x + drop(fc2(gelu(fc1(norm2(x)))))
#pragma once

#include "graticule/attention/attention.h"
#include "graticule/core/model_shape.h"
#include "graticule/parallel/chain.h"
#include "graticule/parallel/tensor.h"

namespace graticule {

/// Block `index` of `shape.depth`: x_BTC -> x_BTC. It knows nothing of who holds the other tokens:
/// `attention` and `layers` do. Key heads (their query heads with them) and the MLP's hidden units are spread
/// over the ranks of `layers`; `attention` is called with this rank's heads of all the tokens of that group.
/// The block's parameters are cut accordingly. Its lean pair takes tiles of `tile_tokens` tokens.
Block transformer_block(const ModelShape& shape, int64_t index, Attention attention,
                        const TensorLayers& layers = {}, int64_t tile_tokens = 4096);

}  // namespace graticule
