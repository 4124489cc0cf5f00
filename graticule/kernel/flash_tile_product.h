// The one matrix product that all tile kernels use: C[rows, lanes] = A[rows, depth] B[depth, lanes]. C stays
// in registers until `finish` takes it. Numbers of A are broadcast from packed rows; whole vectors of B are
// read from a packed panel. Isa is an instruction set (see flash_isa_avx512.h). Its type is in an anonymous
// namespace, so that every instantiation belongs to the file that was compiled for it.
#pragma once

#include <cstdint>

namespace graticule {

template <class Isa>
constexpr int64_t panel_of = static_cast<int64_t>(Isa::columns) * Isa::lanes;

/// One tile of C. finish(row, sums) takes sums, Vector[R][C], for the rows row .. row + R - 1. A finish that
/// reads memory may have prefetch<R, C>(row), which is called before the sums are computed.
template <class Isa, int R, int C, class Finish>
[[gnu::always_inline]] inline void tile_product(int64_t row, int64_t depth, const float* a, int64_t a_length,
                                                const float* b, const Finish& finish) {
  if constexpr (requires { finish.template prefetch<R, C>(row); }) finish.template prefetch<R, C>(row);
  typename Isa::Vector sums[R][C];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) sums[r][c] = Isa::zero();
  }
  for (int64_t k = 0; k < depth; ++k) {
    typename Isa::Vector right[C];
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) right[c] = Isa::load(b + c * Isa::lanes);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const auto left = Isa::broadcast(a[r * a_length + k]);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) sums[r][c] = Isa::multiply_add(sums[r][c], left, right[c]);
    }
    b += panel_of<Isa>;
  }
  finish(row, sums);
}

/// All rows of C. A tile has Isa::rows rows while enough are left, then 4, 2 and 1: only the last may be odd.
template <class Isa, int C, class Finish>
void product(int64_t rows, int64_t depth, const float* a, int64_t a_length, const float* b,
             const Finish& finish) {
  int64_t row = 0;
  for (; row + Isa::rows <= rows; row += Isa::rows) {
    tile_product<Isa, Isa::rows, C>(row, depth, a + row * a_length, a_length, b, finish);
  }
  if (rows - row >= 4) {
    tile_product<Isa, 4, C>(row, depth, a + row * a_length, a_length, b, finish);
    row += 4;
  }
  if (rows - row >= 2) {
    tile_product<Isa, 2, C>(row, depth, a + row * a_length, a_length, b, finish);
    row += 2;
  }
  if (rows - row == 1) tile_product<Isa, 1, C>(row, depth, a + row * a_length, a_length, b, finish);
}

template <int Value>
struct Columns {
  static constexpr int value = Value;
};

/// The fewest vectors, of 1, 2 and 4, that hold `tokens` lanes.
template <class Isa>
int columns_for(int64_t tokens) {
  for (int columns = 1; columns < Isa::columns; columns *= 2) {
    if (tokens <= columns * Isa::lanes) return columns;
  }
  return Isa::columns;
}

/// Calls body(Columns<C>) with C = columns_for(tokens), as a constant.
template <class Isa, class Body>
[[gnu::always_inline]] inline void with_columns(int64_t tokens, const Body& body) {
  const int columns = columns_for<Isa>(tokens);
  if (columns == Isa::columns) {
    body(Columns<Isa::columns>{});
  } else if (columns == 1) {
    body(Columns<1>{});
  } else {
    body(Columns<2>{});
  }
}

}  // namespace graticule
