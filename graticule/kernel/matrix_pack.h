// Packing of plain matrices, for brgemm (matrix_blocks.h). Isa as in flash_tile_product.h.
#pragma once

#include "graticule/kernel/flash_tile_pack.h"
#include "graticule/kernel/matrix_blocks.h"

namespace graticule {

/// A column-major x as rows: to[row][column] = x[column][row] of `columns` lines. fp32 lines are read where
/// they are, others are widened first, a square at a time.
template <class Isa>
void pack_turned(const HeadView& lines, int64_t rows, int64_t columns, float* to, int64_t stride) {
  if (lines.element == Element::fp32) {
    return transpose<Isa>(static_cast<const float*>(lines.data), lines.token, columns, rows, to, stride);
  }
  constexpr int64_t side = Isa::lanes, length = 128;
  for (int64_t column = 0; column < columns; column += side) {
    const int64_t some = columns - column < side ? columns - column : side;
    for (int64_t row = 0; row < rows; row += length) {
      const int64_t terms = rows - row < length ? rows - row : length;
      HeadView part = from_token<Isa>(lines, column);
      part.data = static_cast<const char*>(part.data) + row * element_bytes<Isa>(lines.element);
      float wide[side * length];
      for (int64_t i = 0; i < some; ++i) read_row<Isa>(part, i, terms, wide + i * length);
      transpose<Isa>(wide, length, some, terms, to + row * stride + column, stride);
    }
  }
}

template <class Isa>
void pack(MatrixView x, int64_t rows, int64_t columns, float* to, int64_t stride) {
  if (x.column != 1) return pack_turned<Isa>({x.data, x.column, 1, x.element}, rows, columns, to, stride);
  const HeadView lines{x.data, x.row, 1, x.element};
  for (int64_t row = 0; row < rows; ++row) read_row<Isa>(lines, row, columns, to + row * stride);
}

template <class Isa>
constexpr MatrixPacking matrix_packing_of() {
  return {pack<Isa>, write_rows<Isa>};
}

}  // namespace graticule
