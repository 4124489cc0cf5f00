// The interface between tensors and the tile product of plain matrices, C[M, N] = A[M, K] B[K, N]. Without
// LibTorch, as flash_tiles.h.
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

/// The kernels of one instruction set.
struct MatrixTiles {
  int64_t panel;  ///< columns of one packed panel of B
  int64_t depth;  ///< terms of one product: so many stay in the first cache
  int64_t rows;   ///< the most rows of A that are packed together

  /// Packs columns [0, count) of B as fp32 [K, panel], then zeros. scratch: panel * depth floats.
  void (*pack_right)(MatrixView b, int64_t inner, int64_t count, float* panel_KL, float* scratch);
  /// Packs rows [0, rows) of A as fp32 [K / depth, rows, depth]. scratch: rows * depth floats.
  void (*pack_left)(MatrixView a, int64_t inner, int64_t rows, float* packed, float* scratch);
  /// c[rows, panel] = A B for packed operands; `count` columns of the panel are wanted.
  void (*multiply)(const float* left, const float* right, int64_t rows, int64_t inner, int64_t count,
                   float* c);
  /// Writes c (+ bias) as rows of the output. With `add` it adds to the rows, which must be fp32. bias: fp32
  /// or nullptr.
  void (*write)(float* c, int64_t rows, int64_t count, const float* bias, bool add, HeadOutput out);
};

/// The tiles of this processor; null without AVX2.
const MatrixTiles* matrix_tiles();

/// Terms of a product that are packed at a time; more are added up in an fp32 result.
inline constexpr int64_t most_inner = 8192;
/// The fewest rows and columns that are worth tiles; below, a tile is mostly empty.
inline constexpr int64_t fewest_rows = 16;

/// Floats that one thread's buffers take for `inner` terms: packed rows of A, and sums.
inline int64_t left_floats(const MatrixTiles& tiles, int64_t inner) {
  return (inner + tiles.depth - 1) / tiles.depth * tiles.depth * tiles.rows;
}
inline int64_t sum_floats(const MatrixTiles& tiles) {
  return tiles.rows * std::max(tiles.depth, tiles.panel);
}
/// Floats that B takes packed.
inline int64_t right_floats(const MatrixTiles& tiles, int64_t inner, int64_t columns) {
  return (columns + tiles.panel - 1) / tiles.panel * tiles.panel * inner;
}

/// Whether these tiles are faster than ATen's product (figures: docs/attention-kernel.md). False without
/// AVX2. fp16: always. bf16: when the processor does not multiply bf16 itself. fp32: on processors that are
/// not Intel's, where MKL does not run at full speed.
bool matrix_tiles_win(Element element);

}  // namespace graticule
