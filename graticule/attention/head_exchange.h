// The exchange of DeepSpeed-Ulysses (arXiv 2309.14509, section 3): tokens for heads, and back.
//
// Wire, between two ranks: the tokens of one, and for each the heads of the other, tensors with the heads of
// q first, side by side. So what a rank receives of all tokens is one dense [N, B, X, D], read as it lies,
// and what it sends back is one too, cut by tokens: one packing copy a way and no other.
//
// Legend: B batch, T this rank's tokens, N all tokens of the group, H query heads, G key/value heads, D
// width; X all heads of a message, of one rank and one group of heads (head_cuts.h).
#pragma once

#include <ATen/core/Tensor.h>

#include "graticule/attention/head_cuts.h"
#include "graticule/comm/group.h"

namespace graticule {

/// Tensors that travel side by side: those with the heads of q, and those with the heads of k.
struct Heads {
  std::vector<at::Tensor> query, key;
};

/// What every rank of the group has of one call of attention.
struct HeadExchange {
  Group group;
  std::vector<int64_t> tokens_of;
  int64_t B, T, N, H, G, D;
  std::vector<std::vector<HeadCut>> cuts;  ///< by rank, then group of heads

  size_t head_groups() const { return cuts[0].size(); }
  const HeadCut& mine(size_t i) const { return cuts[static_cast<size_t>(group.rank())][i]; }
};

/// For queries (or a gradient) like x_BTHD and G = key_heads.
HeadExchange head_exchange(const Group& group, const std::vector<int64_t>& tokens_of,
                           const at::Tensor& x_BTHD, int64_t key_heads, int64_t head_groups);

/// Starts group i's way to the heads: [B, T, H or G, D] each -> [N, B, X, D].
Pending to_heads(const HeadExchange& exchange, size_t i, const Heads& tensors);

/// Starts group i's way back: a message of all tokens, [N, B, X, D], of `queries` tensors with the heads of q
/// and `keys` with those of k -> a flat buffer for place_heads.
Pending to_tokens(const HeadExchange& exchange, size_t i, const at::Tensor& wire_NBXD, int64_t queries,
                  int64_t keys);

/// Writes what came back into [B, T, H, D] each, and adds it into [B, T, G, D] where a key/value head lies on
/// several ranks.
void place_heads(const HeadExchange& exchange, size_t i, const at::Tensor& flat, const Heads& into);

/// [B, T, G, D] for place_heads: fp32 zeros where it adds.
at::Tensor key_gradient(const HeadExchange& exchange, const at::Tensor& like);

}  // namespace graticule
