// The bytes that attention allocates on a rank: the exchange of ulysses, and inside it the context method and the
// kernel (context_memory.h). These formulas follow attention/ulysses allocation by allocation. block_memory.cpp
// uses them.
//
// Legend: b samples, T tokens of the tensor group, N tokens of the ulysses group, S all tokens, D head width,
//         H, G query and key heads of the call, h, g those of them on this rank after the ulysses exchange,
//         R context ranks, U ulysses ranks, e bytes an element.
#pragma once

#include <vector>

#include "graticule/footprint/layer_memory.h"

namespace graticule {

/// The memory of one call of a scheme, by its three phases (attention/scheme.h).
struct CallMemory {
  Footprint start = {}, attend = {}, finish = {};
  /// The call object itself references its results until it is destroyed.
  bool holds = false;

  /// The three phases one after the other, with the call object destroyed at the end.
  Footprint whole() const {
    Footprint f;
    return f.run(start).run(attend).run(finish);
  }
  /// The bytes that are freed when the caller drops the results and the call object still exists.
  Booked dropped() const { return holds ? Booked{} : all(); }
  /// The bytes that are freed when the caller drops the results and the call object too.
  Booked all() const {
    Footprint f;
    return f.run(start).run(attend).run(finish).left;
  }
};

/// One call of attention.
struct AttentionCall {
  const PassSizes& sizes;
  const RankShare& heads;  ///< the heads of the call
  int64_t head_groups;     ///< ulysses: groups of heads that are exchanged one after the other
  bool keeps_exchanged;    ///< ulysses: q, k, v and the output are kept in head layout for the backward
};

/// Leaves the output in token layout, and the tensors kept for the backward except q, k and v in token layout
/// (these belong to the caller).
CallMemory attention_forward(const AttentionCall& call);
/// Leaves dq, dk and dv in token layout.
CallMemory attention_backward(const AttentionCall& call);

}  // namespace graticule
