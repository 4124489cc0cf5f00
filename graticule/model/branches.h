// The two branches of a transformer block, as functions that treat each token alone: everything but
// attention. block.cpp calls them on all tokens, and lean_block.cpp tile by tile.
//
// Legend: B batch, t this rank's tokens, T the tokens of its tensor group (t without a group), C width, H
// heads, G key/value heads (H and G of this rank), D head width.
#pragma once

#include <ATen/core/Tensor.h>

#include "graticule/core/model_shape.h"
#include "graticule/parallel/chain.h"
#include "graticule/parallel/tensor.h"

namespace graticule {

/// This rank's part of a block: its key heads, the query heads that belong to them, and its hidden units of
/// the MLP.
struct BlockShare {
  Span keys, queries, hidden;
};
BlockShare block_share(const ModelShape& shape, const TensorLayers& layers);

/// The arguments of a branch besides its tokens.
struct BranchContext {
  const ModelShape& shape;
  const TensorLayers& layers;
  const Inputs& inputs;
  int64_t index;                  ///< number of the block
  Value value = Value::computed;  ///< of the last layer; skipped: only derivatives are wanted
};

/// x_BtC -> q, k, v side by side, [B, T, H + 2 G, D]. x is normalised and projected; with qk_norm, each head
/// of q and k is normalised too. `queries` is the number of query heads. The number of all heads follows from
/// the rows of the weight "attention.qkv".
at::Tensor project_heads(const BranchContext& context, const Weights& weights, const at::Tensor& x_BtC,
                         int64_t queries);
/// out_BTHD of attention -> the output of the branch [B, t, C], which the caller adds to the residual stream.
at::Tensor merge_heads(const BranchContext& context, const Weights& weights, const at::Tensor& out_BTHD);
/// x_BtC -> x + the MLP's branch.
at::Tensor with_mlp(const BranchContext& context, const Weights& weights, const at::Tensor& x_BtC);

}  // namespace graticule
