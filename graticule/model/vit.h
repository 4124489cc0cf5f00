// The Vision Transformer as a list of blocks for the executor (parallel/chain.h): tokenizer, transformer
// blocks, prediction head.
#pragma once

#include <vector>

#include "graticule/attention/attention.h"
#include "graticule/core/model_shape.h"
#include "graticule/model/masked.h"
#include "graticule/parallel/chain.h"
#include "graticule/parallel/tensor.h"

namespace graticule {

/// All blocks of the model, for a rank that has the tokens `tokens` of the sequence between its layers.
/// `attention`, `layers` and `tile_tokens` as for transformer_block (block.h). With a decoder (ModelShape::decoder)
/// these are of the visible tokens, and `of_all` is of all (masked.h). Its holders are needed without one too.
std::vector<Block> vision_transformer(const ModelShape& shape, const Span& tokens, const Attention& attention,
                                      const TensorLayers& layers = {}, int64_t tile_tokens = 4096,
                                      const WholeSequence& of_all = {});

}  // namespace graticule
