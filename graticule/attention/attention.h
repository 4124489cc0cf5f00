// Attention over the whole sequence, as one function for the model. make_attention composes it from schemes
// (schemes.h); the model does not know which scheme runs.
//
// Legend: B batch, T this rank's tokens, S all tokens, H heads, G key/value heads (H % G == 0), D head width.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

#include "graticule/attention/scheme.h"
#include "graticule/comm/group.h"
#include "graticule/core/context_grid.h"
#include "graticule/core/exchange_options.h"
#include "graticule/core/span.h"

namespace graticule {

/// Attention as a function (q_BTHD, k_BTGD, v_BTGD) -> out_BTHD: this rank's queries over the keys and values
/// of all ranks. Collective over the sequence ranks.
struct Attention {
  /// Differentiable, over all heads.
  std::function<at::Tensor(const at::Tensor& q_BTHD, const at::Tensor& k_BTGD, const at::Tensor& v_BTGD)>
      whole;
  /// The same function as explicit halves that save by tokens (scheme.h). The lean block (model/lean_block.h)
  /// calls them with one group of heads after another, and chooses what it keeps.
  Scheme by_tokens = {};
  /// The number of groups of heads in which such a caller should work.
  int64_t head_groups = 1;

  at::Tensor operator()(const at::Tensor& q_BTHD, const at::Tensor& k_BTGD, const at::Tensor& v_BTGD) const {
    return whole(q_BTHD, k_BTGD, v_BTGD);
  }
};

/// Options of make_attention. U = ulysses.size(). Everything but `context` and `ulysses` must be equal on all
/// ranks of the two groups.
struct AttentionOptions {
  /// Tokens of every sequence rank, in the order context rank * U + ulysses rank: context.size() * U numbers,
  /// which may differ and may be 0.
  std::vector<int64_t> tokens_of;
  Group context = {}, ulysses = {};               ///< size 1: not used
  Group context_queries = {}, context_keys = {};  ///< column and row of a grid that is not a line
  ContextGrids grids = {};                        ///< of the context ranks
  ExchangeOptions exchange = {};
};

/// Composes the attention of this rank: ulysses outside, the context method inside, the kernel innermost. An
/// axis with one rank is left out. Refuses head_groups below 1 and gather_heads below 0.
Attention make_attention(const AttentionOptions& options);

/// The attention of one rank: only the kernel.
Attention local_attention();

}  // namespace graticule
