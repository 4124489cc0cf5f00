// The schemes, and the functions that combine them. Only this room uses them: make_attention (attention.h)
// composes them. One autograd function is around the outermost scheme. So a scheme may call an inner one in
// parts, while exchanges are under way, and may choose what it keeps.
//
// Legend: scheme.h.
#pragma once

#include <ATen/core/Tensor.h>

#include "graticule/attention/scheme.h"
#include "graticule/comm/group.h"
#include "graticule/core/exchange_options.h"

namespace graticule {

/// Attention of this rank's queries over the keys of all ranks of a context group. It has the arguments and
/// results of the kernel (kernel/flash.h), in the phases of a Scheme. Collective: all ranks of the group call
/// it in the same order with the same heads, whatever their tokens.
struct ContextScheme {
  std::function<Attend<FlashResult>(const at::Tensor& q_BTHD, const at::Tensor& k_BTGD,
                                    const at::Tensor& v_BTGD)>
      start_forward;
  std::function<Attend<FlashGradients>(const at::Tensor& dout_BTHD, const at::Tensor& q_BTHD,
                                       const at::Tensor& k_BTGD, const at::Tensor& v_BTGD,
                                       const at::Tensor& out_BTHD, const at::Tensor& lse_BHT)>
      start_backward;
};

/// A call without exchanges to start: attend() does all of `work`.
template <class Result, class Work>
Attend<Result> all_in_attend(Work work) {
  return [work = std::move(work)]() -> Finish<Result> {
    return [result = work()]() mutable { return std::move(result); };
  };
}

/// One rank: only the kernel.
ContextScheme local_scheme();

/// The groups of this rank in a grid of context ranks (core/context_grid.h). The sizes of the two make the
/// grid.
struct GridGroups {
  Group queries, keys;
};

/// Attention over a grid, another one in each pass: queries are gathered in the columns, K and V in the rows,
/// `gather_heads` key/value heads at a time (0: all) with their query heads. Results return in fp32. Start
/// begins the gathers of the first group of heads; finish waits for the last results. tokens_of[r]: tokens of
/// context rank r. The method `lss` is the grid of one row, at least in the forward. Bytes sent: docs/lss.md,
/// docs/mesh.md.
ContextScheme grid_scheme(const GridGroups& forward, const GridGroups& backward,
                          const std::vector<int64_t>& tokens_of, int64_t gather_heads);

/// What travels around the ranks in the backward of a ring, with its gradients.
enum class Travels { keys, queries };

/// Ring attention (arXiv 2310.01889). K and V travel around the ranks, and each rank attends over the block
/// that it has at the moment. In the backward they travel again, or the queries do, together with their
/// gradients in fp32. tokens_of[r]: tokens of rank r of the group. Bytes sent: docs/ring.md.
ContextScheme ring_scheme(const Group& group, std::vector<int64_t> tokens_of, Travels in_backward);

/// A context scheme as the outermost Scheme. It keeps its inputs, its output and the log-sum-exp.
Scheme outermost(ContextScheme scheme);

/// DeepSpeed-Ulysses (arXiv 2309.14509). An all-to-all turns [my tokens, all heads] into [all tokens of the
/// group, my heads], `inner` attends, and a second all-to-all turns the output back. Start begins the first
/// exchange of the first group of heads; finish waits for the exchange back of the last group. tokens_of[r]:
/// tokens of rank r of the group. Bytes sent: docs/ulysses.md.
Scheme ulysses_scheme(const Group& group, std::vector<int64_t> tokens_of, const ExchangeOptions& options,
                      ContextScheme inner);

/// The scheme as one function that autograd can differentiate.
std::function<at::Tensor(const at::Tensor& q_BTHD, const at::Tensor& k_BTGD, const at::Tensor& v_BTGD)>
differentiable(Scheme scheme);

}  // namespace graticule
