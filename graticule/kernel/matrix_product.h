// Matrix products on the CPU by our tiles. Legend: C[M, N] = A[M, K] B[K, N].
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace graticule {

/// Whether on this processor matrix_product is faster than ATen's, for operands of this dtype.
bool matrix_product_wins(at::ScalarType dtype);

/// Whether matrix_product is the fast way for these operands: on a CPU, or meta tensors that stand for such
/// (stand_in.h), where it wins for their dtype, and more than a few rows and columns.
bool prefers_matrix_product(const at::Tensor& a_MK, const at::Tensor& b_KN);

/// a b (+ bias_N), summed in fp32, in the dtype `dtype`. Either operand may be a transposed view. The
/// operands are packed as they are read: B whole as fp32 (but at most 8,192 of its rows at a time), A 192
/// rows at a time. The order of the sums does not depend on the number of threads. Refuses a processor
/// without AVX2 (std::invalid_argument).
at::Tensor matrix_product(const at::Tensor& a_MK, const at::Tensor& b_KN,
                          const std::optional<at::Tensor>& bias_N, at::ScalarType dtype);

}  // namespace graticule
