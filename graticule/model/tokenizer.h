// The first block of the chain: it turns patches of fields into tokens and adds the embeddings of variable,
// place and lead time.
//
// Legend: B batch, T this rank's tokens, K variables a token carries, V all variables, I input values of a
// variable of a token (the pixels of all states that the model reads, core/token_grid.h), C width.
#pragma once

#include <ATen/core/Tensor.h>

#include "graticule/core/model_shape.h"
#include "graticule/core/span.h"
#include "graticule/parallel/chain.h"

namespace graticule {

/// The tokenizer of the tokens `tokens`: input_BTKI -> x_BTC in the dtype of the weights. Its lean pair works
/// on tiles of `tile_tokens` tokens.
Block tokenizer(const ModelShape& shape, const Span& tokens, int64_t tile_tokens = 4096);

}  // namespace graticule
