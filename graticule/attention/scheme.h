// A scheme is an explicit pair of forward and backward; what the first leaves for the second is plain data.
// One autograd function stands around the outermost scheme, so a scheme may drive an inner one as it likes:
// in parts, while exchanges are under way, keeping what it chooses.
//
// Legend: B batch, T this rank's tokens, H heads, G key/value heads, D head width.
#pragma once

#include "graticule/attention/attention.h"
#include "graticule/attention/kernel/flash.h"

namespace graticule {

/// Attention of this rank's queries over the keys of all ranks of a context group: the two signatures of the
/// kernel. Collective: every rank of the group calls it in the same order, with the same heads, whatever its
/// tokens.
struct ContextScheme {
  std::function<FlashResult(const at::Tensor& q_BTHD, const at::Tensor& k_BTGD, const at::Tensor& v_BTGD)>
      forward;
  std::function<FlashGradients(const at::Tensor& dout_BTHD, const at::Tensor& q_BTHD,
                               const at::Tensor& k_BTGD, const at::Tensor& v_BTGD, const at::Tensor& out_BTHD,
                               const at::Tensor& lse_BHT)>
      backward;
};

/// What a forward leaves for its backward.
struct Saved {
  std::vector<at::Tensor> tensors;
  int64_t key_heads;  ///< G of the call
};

struct Forwarded {
  at::Tensor out_BTHD;
  Saved saved;
};

struct Scheme {
  std::function<Forwarded(const at::Tensor& q_BTHD, const at::Tensor& k_BTGD, const at::Tensor& v_BTGD)>
      forward;
  std::function<FlashGradients(const at::Tensor& dout_BTHD, const Saved& saved)> backward;
};

/// The kernel alone, one rank.
ContextScheme local_scheme();

/// Long-Sequence-Segmentation (arXiv 2311.02382): queries stay, one all-gather brings K and V of all ranks,
/// `gather_heads` key/value heads at a time (0: all); backward a reduce-scatter in fp32 takes dK and dV home.
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
/// group, my heads], `inner` attends, a second one turns its output back. tokens_of[r]: tokens of rank r of
/// the group. Bytes sent: docs/ulysses.md.
Scheme ulysses_scheme(const Group& group, std::vector<int64_t> tokens_of, const UlyssesOptions& options,
                      ContextScheme inner);

/// The scheme as one differentiable function.
Attention differentiable(Scheme scheme);

}  // namespace graticule
