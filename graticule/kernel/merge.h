// Merges two partial results of attention over disjoint sets of keys into the result over all of them. The
// ring uses it.
//
//   lse = log(exp lse_a + exp lse_b)
//   w   = 1 / (1 + exp(lse_a - lse_b))
//   out = (1 - w) out_a + w out_b
//
// The weight is a sigmoid of a difference, so no exponential overflows. Legend: flash.h.
#pragma once

#include "graticule/kernel/flash.h"

namespace graticule {

/// Merges `part` into `total`, in place and without derivatives. All tensors are fp32, so that a chain of
/// merges rounds only once, at its end. A side without keys (lse = -infinity) does not change the other; its
/// out may have any finite values.
void merge_into(FlashResult& total, const FlashResult& part);

}  // namespace graticule
