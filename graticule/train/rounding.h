// Rounds fp32 to bf16 at random, with the right mean (stochastic rounding). The optimizer uses it for moments
// in bf16.
#pragma once

#include <ATen/core/Tensor.h>

namespace graticule {

/// 32 random bits (int32) for each of the elements [begin, begin + count) of some numbering. They depend only
/// on `key` and the element's number (modulo 2^32).
at::Tensor random_bits(uint64_t key, int64_t begin, int64_t count, const at::Device& device);

/// Rounds each of `values` (fp32; overwritten) to one of its two neighbours in bf16, the nearer with the
/// larger probability, so that the mean over `draw` is the value. `draw`: int32, uniform in [0, 2^16).
/// `rounded`: takes the result.
void round_to_bf16(const at::Tensor& values, const at::Tensor& draw, const at::Tensor& rounded);

}  // namespace graticule
