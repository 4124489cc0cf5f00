// A scheme is an explicit pair of forward and backward; what the first leaves for the second is plain data.
// Each is a call in three phases, so that a caller who works on group of heads by group of heads puts the
// exchange of one group under the attention of another:
//
//   start(0)   start(1) attend(0)   start(2) attend(1) finish(0)   start(3) attend(2) finish(1)   ...
//
// Every rank calls the same phases of the same calls in the same order, whatever its tokens and heads.
//
// Legend: B batch, T this rank's tokens, H heads, G key/value heads, D head width.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <utility>
#include <vector>

#include "graticule/kernel/flash.h"

namespace graticule {

/// A call under way. The exchanges towards attention were started; attend() waits for them, computes and
/// starts the way back; the function it gives waits for that and gives the result. Each is called once, and
/// dropped then: it may hold tensors. Dropped without a call it waits for what it started.
template <class Result>
using Finish = std::function<Result()>;
template <class Result>
using Attend = std::function<Finish<Result>()>;

/// The phases that are left, one after the other.
template <class Result>
Result finished(Attend<Result> attend) {
  const Finish<Result> finish = std::exchange(attend, nullptr)();
  return finish();
}

/// What a forward leaves for its backward. *By tokens*, the contract of every scheme but ulysses with
/// keep_exchanged: {q_BTHD, k_BTGD, v_BTGD, out_BTHD, lse...}, with any number of log-sum-exps, none too.
struct Saved {
  std::vector<at::Tensor> tensors;
  int64_t key_heads;  ///< G of the call
};

/// What a forward left by tokens, of q, k, v computed again and `rest` = {out_BTHD, lse...}, its tensors from
/// the fourth on.
Saved saved_by_tokens(const at::Tensor& q_BTHD, const at::Tensor& k_BTGD, const at::Tensor& v_BTGD,
                      const std::vector<at::Tensor>& rest);

struct Forwarded {
  at::Tensor out_BTHD;
  Saved saved;
};

/// Collective. A started call holds the tensors that it needs. Not for autograd: call it where nothing is
/// recorded.
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
