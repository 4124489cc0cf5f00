#include "graticule/model/vit.h"

#include <algorithm>
#include <iterator>

#include "graticule/model/block.h"
#include "graticule/model/head.h"
#include "graticule/model/tokenizer.h"

namespace graticule {

std::vector<Block> vision_transformer(const ModelShape& shape, const Span& tokens, const Attention& attention,
                                      const TensorLayers& layers, int64_t tile_tokens,
                                      const WholeSequence& of_all) {
  const bool masked = shape.has_decoder();
  std::vector<Block> chain = {masked ? visible_tokenizer(shape, tokens, of_all)
                                     : tokenizer(shape, tokens, of_all.holders, tile_tokens)};
  const Span read =
      masked ? span_of(shape.visible_tokens(), of_all.holders.size(), of_all.holders.rank()) : tokens;
  for (int64_t i = 0; i < shape.depth; ++i) {
    chain.push_back(transformer_block(shape, i, read, attention, layers, tile_tokens));
  }
  std::vector<Block> end = masked ? decoder(shape, tokens, of_all, tile_tokens)
                                  : std::vector{prediction_head(shape, tokens, tile_tokens)};
  std::move(end.begin(), end.end(), std::back_inserter(chain));
  return chain;
}

}  // namespace graticule
