// Sums of parts that several ranks sent: the arithmetic of Group::reduce_scatter.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace graticule {

/// Whether the type is bf16 or fp16.
bool is_half(at::ScalarType type);

/// The sum of one or more flat dense parts of one size and dtype, as a flat tensor of dtype `result`. bf16
/// and fp16 are summed in fp32 and rounded once. Parts are added in the order given, so the result does not
/// depend on timing.
at::Tensor sum_of_parts(const std::vector<at::Tensor>& parts, at::ScalarType result);

}  // namespace graticule
