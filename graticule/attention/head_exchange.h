// The exchange of DeepSpeed-Ulysses (arXiv 2309.14509, section 3). An all-to-all gives a rank all tokens of
// the group for its own heads; a second one brings results back. ulysses.cpp uses it.
//
// Layout of a message between two ranks: the sender's tokens; for each token the receiver's heads. Several
// tensors are side by side, those with the heads of q first. So all messages that a rank receives form one
// dense [N, B, X, D], which the kernel reads without unpacking. The way back uses the same layout, cut by
// tokens. Each way packs once and copies nothing else.
//
// Legend: B batch, T this rank's tokens, N all tokens of the group, H query heads, G key/value heads, D head
// width; X all heads of a message, of one rank and one group of heads (head_cuts.h).
#pragma once

#include <ATen/core/Tensor.h>

#include "graticule/attention/head_cuts.h"
#include "graticule/comm/group.h"

namespace graticule {

/// Tensors that travel in one message: those with the heads of q, and those with the heads of k.
struct Heads {
  std::vector<at::Tensor> query, key;
};

/// The sizes of one call of attention on every rank of the group.
struct HeadExchange {
  Group group;
  std::vector<int64_t> tokens_of;
  int64_t B, T, N, H, G, D;
  std::vector<std::vector<HeadCut>> cuts;  ///< by rank, then group of heads

  /// The number of groups of heads.
  size_t head_groups() const { return cuts[0].size(); }
  /// This rank's heads in group i of heads.
  const HeadCut& mine(size_t i) const { return cuts[static_cast<size_t>(group.rank())][i]; }
};

/// The exchange for queries (or their gradient) shaped as x_BTHD and for G = key_heads key/value heads.
/// tokens_of[r]: tokens of rank r of `group`.
HeadExchange head_exchange(const Group& group, const std::vector<int64_t>& tokens_of,
                           const at::Tensor& x_BTHD, int64_t key_heads, int64_t head_groups);

/// Starts the exchange of group i of heads from tokens to heads: [B, T, H or G, D] each -> [N, B, X, D].
/// Collective.
Pending to_heads(const HeadExchange& exchange, size_t i, const Heads& tensors);

/// Starts the exchange of group i back to tokens. wire_NBXD: a message of all tokens, with `queries` tensors
/// that have the heads of q and `keys` that have those of k. The result is a flat buffer for place_heads.
/// Collective.
Pending to_tokens(const HeadExchange& exchange, size_t i, const at::Tensor& wire_NBXD, int64_t queries,
                  int64_t keys);

/// Writes the result of to_tokens into tensors [B, T, H, D] each. For [B, T, G, D] it adds instead of
/// writing, when some key/value head is on several ranks.
void place_heads(const HeadExchange& exchange, size_t i, const at::Tensor& flat, const Heads& into);

/// A new tensor [B, T, G, D] for place_heads: fp32 zeros when place_heads adds to it, else uninitialised,
/// with the dtype of `like`.
at::Tensor key_gradient(const HeadExchange& exchange, const at::Tensor& like);

}  // namespace graticule
