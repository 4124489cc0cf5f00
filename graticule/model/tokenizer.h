// Fields to tokens: the chain's first block. Patches become vectors; variable, place and lead time are added.
//
// Legend: B batch, T this rank's tokens, K variables a token carries, V all variables, P pixels of a patch, C
// width.
#pragma once

#include <ATen/core/Tensor.h>

#include "graticule/core/model_shape.h"
#include "graticule/core/span.h"
#include "graticule/parallel/chain.h"

namespace graticule {

/// The 2-D position embedding of tokens `span`, [T, C], fp32, computed for any grid. With y in [0, 1] from
/// the south edge to the north edge of the grid and lambda the longitude (in turns, periodic), c = C / 4 and
/// k = 0 .. c - 1:
///   sin(pi y 2^(8 k / c)), cos(same)            a geometric ladder from half a wave to 128 over the rows
///   sin(2 pi lambda m_k), cos(same)             whole wave numbers m_k = 1 + floor(k X' / (2 c)), X' patch
///   columns: no seam at 0 E
at::Tensor position_embedding(const TokenGrid& grid, const Span& span, int64_t dim);

/// The tokenizer of this rank's tokens: input_BTKP -> x_BTC in the dtype of the weights; its lean pair by
/// tiles of `tile_tokens`.
Block tokenizer(const ModelShape& shape, const Span& tokens, int64_t tile_tokens = 4096);

}  // namespace graticule
