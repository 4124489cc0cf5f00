// How the product of plain matrices, C[M, N] = A[M, K] B[K, N], is cut into blocks that oneDNN's brgemm
// multiplies, and what is packed for it. Without LibTorch, as flash_tiles.h.
//
// brgemm reads fp32 rows. It reads an operand where it is, if that is fp32 and row-major, and B's rows are not
// far apart. Other operands are packed: copied as fp32 rows.
#pragma once

#include <algorithm>
#include <cstdint>

#include "graticule/kernel/flash_tiles.h"

namespace graticule {

/// A matrix in memory. Strides count elements; one of them is 1.
struct MatrixView {
  const void* data;
  int64_t row, column;  // strides
  Element element;
};

/// The copies of one instruction set.
struct MatrixPacking {
  /// Writes x [rows, columns] as fp32 rows, `stride` floats apart.
  void (*pack)(MatrixView x, int64_t rows, int64_t columns, float* to, int64_t stride);
  /// Writes factor * the fp32 rows [count, width], `stride` floats apart.
  void (*write)(const float* rows, int64_t stride, int64_t count, int64_t width, float factor,
                HeadOutput out);
};

/// The copies for this processor; null without AVX2.
const MatrixPacking* matrix_packing();

/// The most rows, terms and columns that one call of brgemm multiplies: its blocks of A (384 KiB) and B (128
/// KiB) stay in the second cache. Each element of C is summed in the order of its terms, so its bits depend on
/// the terms of a call alone.
inline constexpr int64_t block_rows = 192, block_terms = 512, block_columns = 64;
/// The most blocks of B that a task multiplies with one block of A.
inline constexpr int64_t task_blocks = 8;
/// The distance of the rows of a packed block of A: not a power of two, which would map them to few sets of
/// the cache.
inline constexpr int64_t left_stride = block_terms + 16;
/// The largest distance of B's rows with which brgemm reads B where it is.
inline constexpr int64_t most_right_stride = 512;
/// The fewest rows and columns that are worth blocks.
inline constexpr int64_t fewest_rows = 16;

/// Terms of a product that are multiplied at a time, if B is packed; more are added up in an fp32 result. An
/// fp32 result is the result itself: then B is packed 4 MiB at a time, but at least block_terms rows.
inline int64_t right_terms(int64_t columns, bool fp32) {
  constexpr int64_t most = 8192, most_floats = 1 << 20;
  return fp32 ? std::clamp(most_floats / columns / block_terms * block_terms, block_terms, most) : most;
}
/// Floats that `terms` rows of B take packed.
inline int64_t right_floats(int64_t terms, int64_t columns) {
  return terms * ceil_div(columns, block_columns) * block_columns;
}
/// Floats of a thread's packed block of A, and of its sums if the result is not fp32.
inline constexpr int64_t left_floats = block_rows * left_stride;
inline constexpr int64_t sum_floats = block_rows * task_blocks * block_columns;

}  // namespace graticule
