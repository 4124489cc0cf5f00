// The bytes that the methods of the context axis allocate on a rank, and the attention kernel. These formulas
// follow attention/{grid,grid_side,ring,part} and kernel/flash allocation by allocation. attention_memory.cpp uses
// them. Legend: attention_memory.h.
#pragma once

#include "graticule/footprint/attention_memory.h"

namespace graticule {

/// The tokens and heads of a rank in a call.
struct CallHeads {
  const PassSizes& s;
  int64_t N, h, g;

  int64_t e() const { return s.e(); }
  int64_t D() const { return s.shape.head_dim(); }
  /// One tensor of the form of the queries, of N tokens or of others.
  int64_t queries(int64_t element) const { return queries(N, element); }
  int64_t queries(int64_t tokens, int64_t element) const { return s.b * tokens * h * D() * element; }
  /// K and V of `tokens`.
  int64_t keys(int64_t tokens, int64_t element) const { return 2 * s.b * tokens * g * D() * element; }
  /// A log-sum-exp of N tokens, or of others.
  int64_t lse() const { return lse(N); }
  int64_t lse(int64_t tokens) const { return s.b * h * tokens * fp32_bytes; }
};

/// Leaves the output and the log-sum-exp.
CallMemory context_forward(const CallHeads& heads);
/// Leaves dq, dk and dv.
CallMemory context_backward(const CallHeads& heads);

}  // namespace graticule
