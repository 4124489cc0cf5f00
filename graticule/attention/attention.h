// Attention over the whole sequence, whatever scheme runs it. A model calls one function and does not know
// which.
//
// Legend: B batch, T this rank's tokens, S all tokens, H heads, G key/value heads (H % G == 0), D head width.
#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <string>

#include "graticule/comm/group.h"
#include "graticule/core/span.h"

namespace graticule {

/// (q_BTHD, k_BTGD, v_BTGD) -> out_BTHD, all of this rank; differentiable.
using Attention =
    std::function<at::Tensor(const at::Tensor& q_BTHD, const at::Tensor& k_BTGD, const at::Tensor& v_BTGD)>;

/// How the context axis shares the sequence; the ulysses axis always trades tokens for heads.
enum class ContextMethod { lss };

struct AttentionOptions {
  int64_t tokens = 0;  ///< S
  ContextMethod context_method = ContextMethod::lss;
  Group context;  ///< size 1: no context parallelism
  Group ulysses;  ///< size 1: no ulysses
};

/// The attention of this rank. Tokens lie over the sequence ranks as span_of(S, context x ulysses, context
/// rank * U + ulysses rank).
Attention make_attention(const AttentionOptions& options);

/// One rank: the kernel alone.
Attention local_attention();

/// DeepSpeed-Ulysses (arXiv 2309.14509): an all-to-all turns [my tokens, all heads] into [all tokens of the
/// group, my heads], `inner` attends, a second one turns its output back. tokens_of[r]: tokens of rank r of
/// the group. Bytes sent: docs/ulysses.md.
Attention ulysses_attention(const Group& group, std::vector<int64_t> tokens_of, Attention inner);

/// Long-Sequence-Segmentation (arXiv 2311.02382): queries stay, one all-gather brings K and V of all ranks;
/// backward one reduce-scatter brings dK and dV home. tokens_of[r]: tokens of rank r of the group. Bytes
/// sent: docs/lss.md.
Attention lss_attention(const Group& group, std::vector<int64_t> tokens_of);

}  // namespace graticule
