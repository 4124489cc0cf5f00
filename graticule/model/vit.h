// The Vision Transformer as a chain: tokenizer, blocks, head.
#pragma once

#include <vector>

#include "graticule/attention/attention.h"
#include "graticule/model/shape.h"
#include "graticule/parallel/chain.h"

namespace graticule {

/// The blocks of the whole model for a rank that holds `tokens` of the sequence.
std::vector<Block> vision_transformer(const ModelShape& shape, const Span& tokens,
                                      const Attention& attention);

}  // namespace graticule
