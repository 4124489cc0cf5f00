// The loops of layer norm, sums over rows, GELU, and the form of queries and keys, for one instruction set. norm.cpp,
// linear.cpp, gelu.cpp and model/query_key_rows.cpp call them with tensors; this file is without LibTorch, so that
// each instruction set can be compiled apart.
//
// Legend: N rows, C width of a row. `element` is the dtype of every pointer to void; arithmetic is in fp32.
#pragma once

#include <algorithm>
#include <cstdint>

#include "graticule/kernel/flash_tiles.h"
#include "graticule/kernel/form_rows.h"

namespace graticule {

enum class CpuLevel;  // flash_cpu.h

/// sum = x + branch; normed = (sum - mean) r weight + bias, with r = 1 / sqrt(variance + epsilon) of each row.
struct NormForward {
  Element element;
  int64_t width;
  float epsilon;
  const void *x_NC, *branch_NC;  ///< branch: null for sum = x, then `sum` is not written
  void *sum_NC, *normed_NC;
  const void *weight_C, *bias_C;
  float *mean_N, *r_N;
};

/// With z = (sum - mean) r and g = dnormed weight:
///   dsum += r (g - mean of g - z mean of g z), dweight = sum over rows of dnormed z, dbias = that of dnormed
struct NormBackward {
  Element element;
  int64_t width;
  const void *sum_NC, *dnormed_NC;
  const void* dresidual_NC;  ///< what `dx` gets added; null: nothing
  void* dx_NC;
  const void* weight_C;
  const float *mean_N, *r_N;
};

/// The kernels of one instruction set. They run rows (or elements) [begin, end).
struct RowKernels {
  void (*norm_forward)(const NormForward& all, int64_t begin, int64_t end);
  /// Adds to dweight_dbias (fp32 [2, C]) the gradients of weight and bias from these rows.
  void (*norm_backward)(const NormBackward& all, int64_t begin, int64_t end, float* dweight_dbias);
  /// Adds the rows of x [N, width] to sums (fp32 [width]).
  void (*sum_rows)(Element element, const void* x, int64_t width, int64_t begin, int64_t end, float* sums);
  /// y = x P(x), P the standard normal distribution function.
  void (*gelu_forward)(Element element, const void* x, void* y, int64_t begin, int64_t end);
  /// dx = dy (P(x) + x p(x)), p the normal density.
  void (*gelu_backward)(Element element, const void* x, const void* dy, void* dx, int64_t begin, int64_t end);
  /// scratch: HeadForm::scratch() numbers.
  void (*form_forward)(const FormForward& all, const FormPart& part, float* scratch);
  /// Adds to sums (HeadForm::sums() numbers) those of the part's rows.
  void (*form_backward)(const FormBackward& all, const FormPart& part, float* scratch, float* sums);
};

/// Into how many parts rows are cut, each with sums of its own: 64 rows or more a part, at most 64 parts. The
/// cut depends on the number of rows alone, so the bits do not depend on the threads.
inline int64_t row_parts(int64_t rows) { return std::clamp<int64_t>(rows / 64, 1, 64); }

/// The kernels compiled for a level's instruction set (`aten`: for any processor); those of the widest set that is
/// not above it. Run them only if cpu_runs(level).
const RowKernels& row_kernels(CpuLevel level);

/// The best kernels of this processor.
const RowKernels& row_kernels();

}  // namespace graticule
