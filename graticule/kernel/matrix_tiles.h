// The border between tensors and the tile product for plain matrices, C[M, N] = A[M, K] B[K, N]. As in
// flash_tiles.h: no LibTorch.
#pragma once

#include <cstdint>

#include "graticule/kernel/flash_tiles.h"

namespace graticule {

/// Strides count elements; one of them is 1.
struct MatrixView {
  const void* data;
  int64_t row, column;  // strides
  Element element;
};

struct MatrixTiles {
  int64_t panel;  ///< columns of one packed panel of B
  int64_t depth;  ///< terms of one product: what stays in the first cache
  int64_t rows;   ///< rows of A that are packed together, at most

  /// Columns [0, count) of B as fp32 [K, panel], zeros beyond. scratch: panel * depth floats.
  void (*pack_right)(MatrixView b, int64_t inner, int64_t count, float* panel_KL, float* scratch);
  /// Rows [0, rows) of A as fp32, [K / depth, rows, depth]. scratch: rows * depth floats.
  void (*pack_left)(MatrixView a, int64_t inner, int64_t rows, float* packed, float* scratch);
  /// c[rows, panel] = A B for packed operands; `count` columns of the panel are wanted.
  void (*multiply)(const float* left, const float* right, int64_t rows, int64_t inner, int64_t count,
                   float* c);
  /// Writes c (+ bias) as rows of the output; adds to them, when fp32, where `add` says so. bias: fp32 or
  /// nullptr.
  void (*write)(float* c, int64_t rows, int64_t count, const float* bias, bool add, HeadOutput out);
};

/// The tiles of this processor; nothing without AVX2.
const MatrixTiles* matrix_tiles();

/// Whether they beat ATen's product (docs/attention-kernel.md has the figures): bf16 and fp16 where the
/// processor does not multiply them itself; fp32 where MKL does not run at full speed, which is on other
/// makers' processors than Intel's.
bool matrix_tiles_win(Element element);

}  // namespace graticule
