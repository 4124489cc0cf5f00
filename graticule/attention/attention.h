// Attention over the whole sequence, whatever scheme runs it. A model calls one function and does not know
// which.
//
// Legend: B batch, T this rank's tokens, S all tokens, H heads, G key/value heads (H % G == 0), D head width.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

#include "graticule/attention/scheme.h"
#include "graticule/comm/group.h"
#include "graticule/core/choices.h"
#include "graticule/core/span.h"

namespace graticule {

/// (q_BTHD, k_BTGD, v_BTGD) -> out_BTHD, all of this rank.
struct Attention {
  std::function<at::Tensor(const at::Tensor& q_BTHD, const at::Tensor& k_BTGD, const at::Tensor& v_BTGD)>
      whole;                ///< differentiable
  Scheme by_tokens = {};    ///< the same as explicit halves that leave what they save by tokens (scheme.h),
                            ///< for a caller who takes the heads a group at a time and keeps what he chooses
  int64_t head_groups = 1;  ///< the groups of heads that such a caller is asked to take

  at::Tensor operator()(const at::Tensor& q_BTHD, const at::Tensor& k_BTGD, const at::Tensor& v_BTGD) const {
    return whole(q_BTHD, k_BTGD, v_BTGD);
  }
};

/// U = ulysses.size(). All but `context` and `ulysses` must be the same on every rank of the two groups.
struct AttentionOptions {
  std::vector<int64_t> tokens_of;  ///< tokens of every sequence rank, in order: context rank * U + ulysses
                                   ///< rank; context.size() * U numbers of any size, zeros too
  ContextMethod context_method = ContextMethod::lss;
  Group context = {}, ulysses = {};  ///< size 1: not used
  int64_t head_groups = 1;     ///< ulysses: heads are exchanged in this many groups, a group's exchange under
                               ///< the previous group's attention; at most a rank's key/value heads
  int64_t gather_heads = 0;    ///< lss: key/value heads gathered at a time, in two buffers; 0: all
  bool keep_exchanged = true;  ///< ulysses: keep q, k, v and out by heads for the backward; false: keep them
                               ///< by tokens alone and exchange them again
};

/// The attention of this rank: ulysses within, the context method across, the kernel innermost. Refuses
/// head_groups below 1 and gather_heads below 0.
Attention make_attention(const AttentionOptions& options);

/// One rank: the kernel alone.
Attention local_attention();

}  // namespace graticule
