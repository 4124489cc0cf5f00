// What attention's exchanges and kernels hold, in sizes: attention/{ulysses,lss,ring,kernel} without tensors.
//
// Legend: b samples, T tokens of the tensor group, N those of the ulysses group, S all, D head width, H, G
// query and key heads of the call, h, g those that ulysses leaves of them, R, U context and ulysses ranks, e
// bytes an element.
#pragma once

#include <vector>

#include "graticule/footprint/layer_memory.h"

namespace graticule {

/// The phases of a call (attention/scheme.h).
struct CallMemory {
  Footprint start = {}, attend = {}, finish = {};
  /// Until the call goes, it holds its results too, or the parts that they were joined of.
  bool holds = false;
  Booked joined = {};

  /// All of them, and the call is gone.
  Footprint whole() const {
    Footprint f;
    f.run(start).run(attend).run(finish);
    return joined.total() == 0 ? f : f.undo(f.left).run({joined, joined});
  }
  /// What goes when its result is dropped while the call is still there.
  Booked dropped() const { return holds ? joined : all(); }
  Booked all() const {
    Footprint f;
    return f.run(start).run(attend).run(finish).left;
  }
};

/// A call with the heads of `heads`. Of ulysses: how many groups of heads are exchanged one after the other,
/// and whether heads stay where they were attended with.
struct AttentionCall {
  const PassSizes& sizes;
  const RankShare& heads;
  int64_t head_groups;
  bool keeps_exchanged;
};

/// Leaves the output by tokens, and what is kept for the backward but q, k and v by tokens.
CallMemory attention_forward(const AttentionCall& call);
/// Leaves dq, dk and dv by tokens.
CallMemory attention_backward(const AttentionCall& call);

}  // namespace graticule
