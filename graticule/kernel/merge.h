// Joins two partial results of attention over disjoint sets of keys into the result over both.
//
//   lse = log(exp lse_a + exp lse_b)      w = 1 / (1 + exp(lse_a - lse_b))      out = (1 - w) out_a + w out_b
//
// The weight is a sigmoid of a difference, so no exponential overflows. Legend: flash.h.
#pragma once

#include "graticule/kernel/flash.h"

namespace graticule {

/// In place, without derivatives: total becomes the result over the keys of both. All fp32, so that a chain
/// of merges rounds once, at its end. A side with lse = -infinity (no keys) leaves the other as it is; its
/// out may have any finite values.
void merge_into(FlashResult& total, const FlashResult& part);

}  // namespace graticule
