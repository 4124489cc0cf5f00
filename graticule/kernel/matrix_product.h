// Matrix products on the CPU by blocks of oneDNN's brgemm (matrix_blocks.h). linear.cpp uses them. Legend:
// C[M, N] = A[M, K] B[K, N].
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace graticule {

/// Whether to use matrix_product for these operands: they are on a CPU (or meta tensors that represent such,
/// stand_in.h), they have more than a few rows and columns, and it is the faster one (product_choice.h).
bool prefers_matrix_product(const at::Tensor& a_MK, const at::Tensor& b_KN);

/// a b (+ bias_N) [M, N], summed in fp32, in the dtype `dtype`. Each operand may be a transposed view; no size
/// is 0. What is packed, and how much of it at a time: matrix_blocks.h. The order of the sums does not depend
/// on the number of threads, nor on strides. Refuses a processor without AVX2 (std::invalid_argument).
at::Tensor matrix_product(const at::Tensor& a_MK, const at::Tensor& b_KN,
                          const std::optional<at::Tensor>& bias_N, at::ScalarType dtype);

}  // namespace graticule
