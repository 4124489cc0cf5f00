#include "graticule/model/vit.h"

#include "graticule/model/block.h"
#include "graticule/model/head.h"
#include "graticule/model/tokenizer.h"

namespace graticule {

std::vector<Block> vision_transformer(const ModelShape& shape, const Span& tokens, const Attention& attention,
                                      const TensorLayers& layers, int64_t tile_tokens) {
  std::vector<Block> chain = {tokenizer(shape, tokens, tile_tokens)};
  for (int64_t i = 0; i < shape.depth; ++i) {
    chain.push_back(transformer_block(shape, i, tokens, attention, layers, tile_tokens));
  }
  chain.push_back(prediction_head(shape, tokens, tile_tokens));
  return chain;
}

}  // namespace graticule
