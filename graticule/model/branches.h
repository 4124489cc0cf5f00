// The two branches of a transformer block, as functions that treat each token alone: everything but
// attention. block.cpp calls them on all tokens, and lean_block.cpp tile by tile.
//
// Legend: B batch, t this rank's tokens, T the tokens of its tensor group (t without a group), C width, H
// heads, G key/value heads (H and G of this rank), D head width.
#pragma once

#include <ATen/core/Tensor.h>

#include "graticule/core/model_shape.h"
#include "graticule/kernel/norm.h"
#include "graticule/model/query_key.h"
#include "graticule/parallel/chain.h"
#include "graticule/parallel/tensor.h"

namespace graticule {

/// This rank's part of a block: its key heads, the query heads that belong to them, and its hidden units of
/// the MLP.
struct BlockShare {
  Span keys, queries, hidden;
};
BlockShare block_share(const ModelShape& shape, const TensorLayers& layers);

/// The rows of the weight "attention.qkv" that project to the heads `queries` and `keys`; the weight's are H
/// query heads and G key heads.
std::vector<Span> projection_rows_of(const ModelShape& shape, int64_t H, int64_t G, const Span& queries,
                                     const Span& keys);

/// The tokens of all ranks of a tensor group, where this rank has `tokens`.
Span tokens_of_group(const TensorLayers& layers, const Span& tokens);

/// The arguments of a branch besides its tokens.
struct BranchContext {
  const ModelShape& shape;
  const TensorLayers& layers;
  const Inputs& inputs;
  int64_t index;  ///< number of the block
  /// Of the queries and keys; `tokens` are the ranges of the T tokens, in order.
  const std::shared_ptr<const QueryKey>& query_key;
  const std::vector<Span>& tokens;
  Value value = Value::computed;  ///< of the last layer; skipped: only derivatives are wanted
};

/// The residual stream x + branch (x itself without a branch), and its layer norm by the weights "<name>.*".
NormedSum norm_stream(const Weights& weights, const std::string& name, const at::Tensor& x_BtC,
                      const std::optional<at::Tensor>& branch_BtC = std::nullopt);
/// normed_BtC -> q, k, v side by side, [B, T, H + 2 G, D]. normed is projected; q and k get their form
/// (query_key.h) or, with qk_norm = layer, each head of q and k is normalised too. `queries` is the number of
/// query heads. The number of all heads follows from the rows of the weight "attention.qkv".
at::Tensor project_heads(const BranchContext& context, const Weights& weights, const at::Tensor& normed_BtC,
                         int64_t queries);
/// out_BTHD of attention -> the output of the branch [B, t, C], which the caller adds to the residual stream.
at::Tensor merge_heads(const BranchContext& context, const Weights& weights, const at::Tensor& out_BTHD);
/// x_BtC and the branch of attention (nothing: it is already in x) -> their sum + the MLP's branch.
at::Tensor with_mlp(const BranchContext& context, const Weights& weights, const at::Tensor& x_BtC,
                    const std::optional<at::Tensor>& branch_BtC = std::nullopt);

}  // namespace graticule
