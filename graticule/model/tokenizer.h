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

/// The tokenizer of this rank's tokens: input_BTKP -> x_BTC in the dtype of the weights; its lean pair by
/// tiles of `tile_tokens`.
Block tokenizer(const ModelShape& shape, const Span& tokens, int64_t tile_tokens = 4096);

}  // namespace graticule
