// The lean pair of the transformer block: a forward and a backward without autograd that keep little memory.
// They work on tiles of tokens and on groups of heads. block.cpp attaches the pair to the block.
#pragma once

#include "graticule/attention/attention.h"
#include "graticule/model/query_key.h"
#include "graticule/parallel/chain.h"
#include "graticule/parallel/tensor.h"

namespace graticule {

/// The arguments of a lean pair: those of transformer_block.
struct LeanArguments {
  std::shared_ptr<const QueryKey> query_key;  ///< with the shape
  int64_t index;
  Attention attention;
  TensorLayers layers;
  Span group_tokens;  ///< of the tensor group
  int64_t tile_tokens;
};

/// The lean pair of transformer_block. Attention works on attention.head_groups groups of heads, at most a
/// rank's key heads. One group is projected, exchanged and attended while the exchange of the next one is under
/// way. So the intermediates of attention are those of two groups (the idea of UPipe, arXiv 2602.21196). The
/// memo is attention's output and log-sum-exp.
LeanBlock lean_transformer_block(LeanArguments arguments);

}  // namespace graticule
