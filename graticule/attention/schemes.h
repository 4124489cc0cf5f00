// The schemes, and what makes one function of them. make_attention (attention.h) composes them.
// One autograd function stands around the outermost scheme, so a scheme may drive an inner one as it likes:
// in parts, while exchanges are under way, keeping what it chooses.
//
// Legend: scheme.h.
#pragma once

#include <ATen/core/Tensor.h>

#include "graticule/attention/scheme.h"
#include "graticule/comm/group.h"

namespace graticule {

/// Attention of this rank's queries over the keys of all ranks of a context group: the two signatures of the
/// kernel, in the phases of a Scheme. Collective: every rank of the group calls it in the same order, with
/// the same heads, whatever its tokens.
struct ContextScheme {
  std::function<Attend<FlashResult>(const at::Tensor& q_BTHD, const at::Tensor& k_BTGD,
                                    const at::Tensor& v_BTGD)>
      start_forward;
  std::function<Attend<FlashGradients>(const at::Tensor& dout_BTHD, const at::Tensor& q_BTHD,
                                       const at::Tensor& k_BTGD, const at::Tensor& v_BTGD,
                                       const at::Tensor& out_BTHD, const at::Tensor& lse_BHT)>
      start_backward;
};

/// A call that has nothing to start: all of `work` is done by attend().
template <class Result, class Work>
Attend<Result> all_in_attend(Work work) {
  return [work = std::move(work)]() -> Finish<Result> {
    return [result = work()]() mutable { return std::move(result); };
  };
}

/// The kernel alone, one rank.
ContextScheme local_scheme();

/// Long-Sequence-Segmentation (arXiv 2311.02382): queries stay, one all-gather brings K and V of all ranks,
/// `gather_heads` key/value heads at a time (0: all); backward a reduce-scatter in fp32 takes dK and dV home.
/// A call starts with the gather of its first stride and ends, backward, with the last reduce-scatter.
/// tokens_of[r]: tokens of rank r of the group. Bytes sent: docs/lss.md.
ContextScheme lss_scheme(const Group& group, std::vector<int64_t> tokens_of, int64_t gather_heads);

/// Ring attention (arXiv 2310.01889): K and V travel around the ranks while each attends over what it holds;
/// backward they travel again, dK and dV with them, in fp32. Bytes sent: docs/ring.md.
ContextScheme ring_scheme(const Group& group, std::vector<int64_t> tokens_of);

/// A context scheme as the outermost: saves its inputs, its output and the log-sum-exp.
Scheme outermost(ContextScheme scheme);

struct UlyssesOptions {
  int64_t head_groups;
  bool keep_exchanged;
};

/// DeepSpeed-Ulysses (arXiv 2309.14509): an all-to-all turns [my tokens, all heads] into [all tokens of the
/// group, my heads], `inner` attends, a second one turns its output back. A call starts with the way there of
/// its first group of heads and ends with the way back of its last. tokens_of[r]: tokens of rank r of the
/// group. Bytes sent: docs/ulysses.md.
Scheme ulysses_scheme(const Group& group, std::vector<int64_t> tokens_of, const UlyssesOptions& options,
                      ContextScheme inner);

/// The scheme as one differentiable function.
std::function<at::Tensor(const at::Tensor& q_BTHD, const at::Tensor& k_BTGD, const at::Tensor& v_BTGD)>
differentiable(Scheme scheme);

}  // namespace graticule
