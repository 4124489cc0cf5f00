// The product of plain matrices by the register tiles of flash_tile_product.h. A lane is a column of C.
#pragma once

#include "graticule/kernel/flash_tile_backward.h"
#include "graticule/kernel/matrix_tiles.h"

namespace graticule {

template <class Isa>
constexpr int64_t matrix_depth = 128;

/// A matrix as lines along its contiguous direction, for read_row. Line i starts at element i * stride from
/// (row, column).
template <class Isa>
HeadView lines(const MatrixView& x, int64_t row, int64_t column, int64_t stride) {
  const auto* data =
      static_cast<const char*>(x.data) + (row * x.row + column * x.column) * element_bytes<Isa>(x.element);
  return {data, stride, 1, x.element};
}

template <class Isa>
void pack_right(MatrixView b, int64_t inner, int64_t count, float* panel_KL, float* scratch) {
  constexpr int64_t panel = panel_of<Isa>, depth = matrix_depth<Isa>;
  if (b.column == 1) {
    const auto view = lines<Isa>(b, 0, 0, b.row);
    for (int64_t k = 0; k < inner; ++k) {
      read_row<Isa>(view, k, count, panel_KL + k * panel);
      if (count < panel) std::memset(panel_KL + k * panel + count, 0, static_cast<size_t>(panel - count) * 4);
    }
    return;
  }
  for (int64_t k = 0; k < inner; k += depth) {
    const int64_t terms = inner - k < depth ? inner - k : depth;
    const auto view = lines<Isa>(b, k, 0, b.column);
    for (int64_t n = 0; n < count; ++n) read_row<Isa>(view, n, terms, scratch + n * depth);
    if (count < panel)
      std::memset(scratch + count * depth, 0, static_cast<size_t>((panel - count) * depth) * 4);
    transpose<Isa>(scratch, depth, panel, terms, panel_KL + k * panel, panel);
  }
}

template <class Isa>
void pack_left(MatrixView a, int64_t inner, int64_t rows, float* packed, float* scratch) {
  constexpr int64_t depth = matrix_depth<Isa>;
  for (int64_t k = 0; k < inner; k += depth) {
    const int64_t terms = inner - k < depth ? inner - k : depth;
    float* to = packed + k * rows;
    if (a.column == 1) {
      const auto view = lines<Isa>(a, 0, k, a.row);
      for (int64_t m = 0; m < rows; ++m) read_row<Isa>(view, m, terms, to + m * depth);
    } else {
      const auto view = lines<Isa>(a, 0, k, a.column);
      for (int64_t j = 0; j < terms; ++j) read_row<Isa>(view, j, rows, scratch + j * rows);
      transpose<Isa>(scratch, rows, terms, rows, to, depth);
    }
  }
}

template <class Isa>
void multiply(const float* left, const float* right, int64_t rows, int64_t inner, int64_t count, float* c) {
  constexpr int64_t panel = panel_of<Isa>, depth = matrix_depth<Isa>;
  std::memset(c, 0, static_cast<size_t>(rows * panel) * 4);
  with_columns<Isa>(count, [&](auto columns) {
    for (int64_t k = 0; k < inner; k += depth) {
      accumulate<Isa, decltype(columns)::value>(rows, inner - k < depth ? inner - k : depth,
                                                Rows{left + k * rows, depth}, right + k * panel, c, panel);
    }
  });
}

template <class Isa>
void write(float* c, int64_t rows, int64_t count, const float* bias, bool add, HeadOutput out) {
  constexpr int64_t panel = panel_of<Isa>;
  for (int64_t m = 0; m < rows; ++m) {
    float* row = c + m * panel;
    if (bias) {
      for (int64_t n = 0; n < count; ++n) row[n] += bias[n];
    }
    if (add) {
      const float* sums = static_cast<const float*>(out.data) + m * out.token;
      for (int64_t n = 0; n < count; ++n) row[n] += sums[n];
    }
    write_row<Isa>(row, count, 1, out, m);
  }
}

template <class Isa>
constexpr MatrixTiles matrix_tiles_of() {
  return {panel_of<Isa>, matrix_depth<Isa>, 192, pack_right<Isa>, pack_left<Isa>, multiply<Isa>, write<Isa>};
}

}  // namespace graticule
