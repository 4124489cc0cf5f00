// Which of two products a linear layer runs by: blocks of oneDNN's brgemm (matrix_product.h), or ATen's (MKL, oneDNN). The
// table is by kind of processor, not by a measurement at start. So equal processors choose equally, in every run and on
// every rank. tests/kernel/product_choice_test.cpp compares it with figures of `graticule bench linear`.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <limits>

#include "graticule/kernel/flash_cpu.h"

namespace graticule {

inline constexpr int64_t all_terms = std::numeric_limits<int64_t>::max();

/// What decides between the products.
struct ProcessorKind {
  CpuLevel level;        ///< of the dtype of the operands
  bool intel;            ///< MKL is tuned for this maker's processors alone
  bool multiplies_half;  ///< by AVX-512 FP16, which oneDNN uses
};

/// The kind of this processor, for a dtype.
ProcessorKind processor_kind(at::ScalarType dtype);

/// The most terms K of a product for which blocks are faster; 0: none; all_terms: always.
int64_t most_block_terms(at::ScalarType dtype, const ProcessorKind& kind);
int64_t most_block_terms(at::ScalarType dtype);

}  // namespace graticule
