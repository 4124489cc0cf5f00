// Times the three matrix products of a linear layer on this processor: by blocks of oneDNN's brgemm
// (kernel/matrix_product.h), by ATen, and brgemm alone on operands that stay in the cache. A *turn* times each
// of them once; all numbers are medians of the turns. Used by `graticule bench linear`.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

namespace graticule {

/// The layer: x [rows, inner], W [columns, inner], dy [rows, columns].
struct LinearSize {
  int64_t rows, inner, columns;
};

/// y = x W^T + b, dx = dy W, dW = dy^T x. Each counts as 2 rows inner columns operations.
enum class LinearProduct { output, input_gradient, weight_gradient };

struct LinearSpeed {
  bool chooses_blocks = false;          ///< `product` of kernel/linear.h runs by blocks, else by ATen
  std::optional<double> blocks_gflops;  ///< by blocks; nothing where they cannot run
  double aten_gflops = 0;               ///< at::mm or at::addmm
  double ratio = 0;                     ///< ATen's seconds / those of what `product` chooses
  std::optional<double> brgemm_gflops;  ///< brgemm alone; nothing where it cannot run
  std::optional<double> share;          ///< rate of what `product` chooses / brgemm_gflops
};

/// First compares both results with the product in fp64 on at most 300 rows (std::runtime_error if one is
/// wrong). Then times `repeats` turns, with the current number of threads. Refuses sizes below 1.
LinearSpeed measure_linear(LinearProduct product, const LinearSize& size, at::ScalarType dtype,
                           int64_t repeats);

/// Whether brgemm alone is timed in fp32 for a dtype, else in bf16. That is so where our blocks are.
bool brgemm_is_fp32(at::ScalarType dtype);

}  // namespace graticule
