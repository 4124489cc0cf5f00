// A scheme: one way to compute attention across ranks, as an explicit pair of forward and backward without
// autograd. The forward returns plain tensors that the backward needs. schemes.h makes the schemes.
// attention.h turns one into a differentiable function, and model/lean_block.h calls its halves directly.
//
// Each half is a call in three phases: start the exchanges, attend, finish. A caller that works on one group
// of heads after another can so exchange one group while it computes another:
//
//   start(0)   start(1) attend(0)   start(2) attend(1) finish(0)   start(3) attend(2) finish(1)   ...
//
// All ranks call the same phases of the same calls in the same order, also ranks without tokens or heads.
//
// Legend: B batch, T this rank's tokens, H heads, G key/value heads, D head width.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <utility>
#include <vector>

#include "graticule/kernel/flash.h"

namespace graticule {

/// A call under way, as start_forward or start_backward returns it: the exchanges before attention have
/// started. Calling Attend waits for them, computes, and starts the exchanges back. Calling the Finish that
/// it returns waits for those and returns the result. Call each once, then drop it, because it may own
/// tensors. Dropped without a call, it waits for the exchanges that it started.
template <class Result>
using Finish = std::function<Result()>;
template <class Result>
using Attend = std::function<Finish<Result>()>;

/// Runs the remaining phases one after the other.
template <class Result>
Result finished(Attend<Result> attend) {
  const Finish<Result> finish = std::exchange(attend, nullptr)();
  return finish();
}

/// The tensors that a forward keeps for its backward. All schemes but one keep them *by tokens*: q_BTHD,
/// k_BTGD, v_BTGD, out_BTHD, then zero or more log-sum-exps. The exception is ulysses with keep_exchanged,
/// which keeps them by heads.
struct Saved {
  std::vector<at::Tensor> tensors;
  int64_t key_heads;  ///< G of the call
};

/// Builds a Saved by tokens from q, k and v that were computed again, and from `rest`: the kept out_BTHD,
/// then the log-sum-exps.
Saved saved_by_tokens(const at::Tensor& q_BTHD, const at::Tensor& k_BTGD, const at::Tensor& v_BTGD,
                      const std::vector<at::Tensor>& rest);

/// The result of a forward.
struct Forwarded {
  at::Tensor out_BTHD;
  Saved saved;
};

/// The two halves of a scheme. Collective. A started call keeps the tensors that it needs alive. Call it only
/// where autograd records nothing.
struct Scheme {
  std::function<Attend<Forwarded>(const at::Tensor& q_BTHD, const at::Tensor& k_BTGD,
                                  const at::Tensor& v_BTGD)>
      start_forward;
  std::function<Attend<FlashGradients>(const at::Tensor& dout_BTHD, const Saved& saved)> start_backward;

  Forwarded forward(const at::Tensor& q_BTHD, const at::Tensor& k_BTGD, const at::Tensor& v_BTGD) const {
    return finished(start_forward(q_BTHD, k_BTGD, v_BTGD));
  }
  FlashGradients backward(const at::Tensor& dout_BTHD, const Saved& saved) const {
    return finished(start_backward(dout_BTHD, saved));
  }
};

}  // namespace graticule
