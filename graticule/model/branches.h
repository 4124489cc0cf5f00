// The two branches of a transformer block in pieces that treat each token alone; attention stands between
// them. The block composes them (block.cpp), its lean pair runs them tile by tile (lean_block.cpp).
//
// Legend: B batch, t this rank's tokens, T the tokens of its tensor group (t when there is none), C width, H
// heads, G key/value heads (H and G this rank's), D head width.
#pragma once

#include <ATen/core/Tensor.h>

#include "graticule/core/model_shape.h"
#include "graticule/parallel/chain.h"
#include "graticule/parallel/tensor.h"

namespace graticule {

/// What this rank of the tensor axis holds of a block. Query heads follow their key heads.
struct BlockShare {
  Span keys, queries, hidden;
};
BlockShare block_share(const ModelShape& shape, const TensorLayers& layers);

/// What a branch needs besides its tokens.
struct BranchContext {
  const ModelShape& shape;
  const TensorLayers& layers;
  const Inputs& inputs;
  int64_t index;                  ///< of the block
  Value value = Value::computed;  ///< of a function's last layer; skipped: only derivatives are wanted
};

/// x_BtC -> q | k | v side by side, [B, T, H + 2 G, D], for as many heads as the weights "attention.qkv" have
/// rows for, `queries` of them query heads: normalised x, projected, q and k normalised by head where the
/// shape says so.
at::Tensor project_heads(const BranchContext& context, const Weights& weights, const at::Tensor& x_BtC,
                         int64_t queries);
/// Attention's output_BTHD -> its branch [B, t, C], to be added to the residual stream.
at::Tensor merge_heads(const BranchContext& context, const Weights& weights, const at::Tensor& out_BTHD);
/// x_BtC -> x + the MLP's branch.
at::Tensor with_mlp(const BranchContext& context, const Weights& weights, const at::Tensor& x_BtC);

}  // namespace graticule
