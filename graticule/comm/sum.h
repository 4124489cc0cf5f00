// Sums of what several ranks sent.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace graticule {

bool is_half(at::ScalarType type);

/// The sum of flat dense parts of one size and dtype, taken in their order, so that it never depends on
/// timing: in fp32 for bf16 and fp16, rounded once to `result`. A flat tensor.
at::Tensor sum_of_parts(const std::vector<at::Tensor>& parts, at::ScalarType result);

}  // namespace graticule
