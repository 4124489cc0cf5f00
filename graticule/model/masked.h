// Masked autoencoding (He et al., arXiv 2111.06377): the transformer blocks read the visible tokens alone
// (Inputs::visible), and a light decoder gives all tokens.
//
// The tokens of the sequence are spread over ranks evenly, and so are the visible ones, whatever the mask. So a rank
// embeds the visible ones of its tokens, and an exchange evens them out; after the blocks they go back, and a learned
// token takes each hidden place. The decoder has blocks of its own width, which attend over all tokens.
//
// Legend: B batch, T this rank's tokens, v visible ones of them, t this rank's share of all visible tokens, C width of
// the blocks, E width of the decoder.
#pragma once

#include <vector>

#include "graticule/attention/attention.h"
#include "graticule/core/model_shape.h"
#include "graticule/parallel/chain.h"
#include "graticule/parallel/tensor.h"

namespace graticule {

/// How a rank computes what is of all tokens of a sample, hidden ones among them. The default: one rank.
struct WholeSequence {
  Group holders;        ///< all ranks that have tokens of a sample
  Attention attention;  ///< of a decoder, over all tokens
  TensorLayers tensor;  ///< of a decoder
};

/// The tokenizer of the visible tokens: input_BTKI -> x_BtC. `tokens`: this rank's tokens.
Block visible_tokenizer(const ModelShape& shape, const Span& tokens, const WholeSequence& layers);

/// The decoder: x_BtC -> prediction_BTKP, as the blocks "decoder" (norm, projection, hidden places, positions),
/// "decoder.blocks.0", ..., "head".
std::vector<Block> decoder(const ModelShape& shape, const Span& tokens, const WholeSequence& layers,
                           int64_t tile_tokens);

}  // namespace graticule
