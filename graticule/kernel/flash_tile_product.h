// The one matrix product that all tile kernels use: C[rows, lanes] = A[rows, depth] B[depth, lanes]. C stays
// in registers until `finish` takes it. Numbers of A are broadcast; whole vectors of B are read from a packed
// panel. Isa is an instruction set (see flash_isa_avx512.h). Its type is in an anonymous namespace, so that
// every instantiation belongs to the file that was compiled for it.
#pragma once

#include <cstdint>

namespace graticule {

template <class Isa>
constexpr int64_t panel_of = static_cast<int64_t>(Isa::columns) * Isa::lanes;

/// How the numbers of a left operand lie: row after row, or in strips. A *strip* is the R rows of one tile,
/// term by term, so a tile reads one contiguous stream, which the processor fetches ahead.
enum class LeftOrder { rows, strips };

/// A left operand. Its row i, or the strip that begins with row i, starts at i * length; `length` is the number
/// of terms of a row.
template <LeftOrder order>
struct LeftOperand {
  const float* data;
  int64_t length;

  const float* at(int64_t row) const { return data + row * length; }
  /// Term k of row r of the tile of R rows that starts at `tile`.
  template <int R>
  [[gnu::always_inline]] float number(const float* tile, int r, int64_t k) const {
    return order == LeftOrder::strips ? tile[k * R + r] : tile[r * length + k];
  }
};
using Strips = LeftOperand<LeftOrder::strips>;
using Rows = LeftOperand<LeftOrder::rows>;

/// Calls body.operator()<R>(row) for each tile of the rows. A tile has Isa::rows rows. The last two have nearly
/// the same height, since a tile of one or two rows has too few sums to keep the processor busy. Only the last
/// tile may have an odd number of rows.
template <class Isa, class Body>
[[gnu::always_inline]] inline void for_tiles(int64_t rows, const Body& body) {
  static_assert(Isa::rows == 6);
  int64_t row = 0;
  while (rows - row >= 10 || rows - row == 6) {
    body.template operator()<6>(row);
    row += 6;
  }
  if (rows - row > 6) {
    body.template operator()<4>(row);
    row += 4;
  }
  switch (rows - row) {
    case 5:
      return body.template operator()<5>(row);
    case 4:
      return body.template operator()<4>(row);
    case 3:
      return body.template operator()<3>(row);
    case 2:
      return body.template operator()<2>(row);
    case 1:
      return body.template operator()<1>(row);
    default:
      return;
  }
}

/// Stops the compiler from mixing terms. Mixed, they need more registers than there are.
[[gnu::always_inline]] inline void keep_order() { asm volatile("" ::: "memory"); }

constexpr int terms_a_turn = 4;  // of full tiles: a loop of few turns has an end that the processor foresees

/// One tile of C. finish(row, sums) takes sums, Vector[R][C], for the rows row .. row + R - 1. A finish that
/// reads memory may have prefetch<R, C>(row), which is called before the sums are computed. One with other work
/// to do may have meanwhile(), which is called after each turn of terms.
template <class Isa, int R, int C, class Left, class Finish>
[[gnu::always_inline]] inline void tile_product(int64_t row, int64_t depth, const Left& left, const float* b,
                                                const Finish& finish) {
  if constexpr (requires { finish.template prefetch<R, C>(row); }) finish.template prefetch<R, C>(row);
  const float* a = left.at(row);
  typename Isa::Vector sums[R][C];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) sums[r][c] = Isa::zero();
  }
  const auto term = [&](int64_t k) __attribute__((always_inline)) {
    typename Isa::Vector right[C];
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) right[c] = Isa::load(b + k * panel_of<Isa> + c * Isa::lanes);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const auto number = Isa::broadcast(left.template number<R>(a, r, k));
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) sums[r][c] = Isa::multiply_add(sums[r][c], number, right[c]);
    }
  };
  int64_t k = 0;
  if constexpr (R == Isa::rows) {
    for (; k + terms_a_turn <= depth; k += terms_a_turn) {
#pragma GCC unroll 4
      for (int j = 0; j < terms_a_turn; ++j) {
        term(k + j);
        keep_order();
      }
      if constexpr (requires { finish.meanwhile(); }) finish.meanwhile();
    }
  }
  for (; k < depth; ++k) term(k);
  finish(row, sums);
}

/// All rows of C.
template <class Isa, int C, class Left, class Finish>
void product(int64_t rows, int64_t depth, const Left& left, const float* b, const Finish& finish) {
  for_tiles<Isa>(
      rows, [&]<int R>(int64_t row)
                __attribute__((always_inline)) { tile_product<Isa, R, C>(row, depth, left, b, finish); });
}

/// A finish that adds the sums to rows in memory.
template <class Isa>
struct Adder {
  float* to;
  int64_t length;

  template <int R, int C>
  [[gnu::always_inline]] void prefetch(int64_t row) const {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) __builtin_prefetch(to + (row + r) * length + c * Isa::lanes, 1);
    }
  }

  template <int R, int C>
  [[gnu::always_inline]] void operator()(int64_t row, typename Isa::Vector (&sums)[R][C]) const {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) {
        float* at = to + (row + r) * length + c * Isa::lanes;
        Isa::store(at, Isa::load(at) + sums[r][c]);
      }
    }
  }
};

/// to[rows, lanes] += A B
template <class Isa, int C, class Left>
void accumulate(int64_t rows, int64_t depth, const Left& left, const float* b, float* to, int64_t length) {
  product<Isa, C>(rows, depth, left, b, Adder<Isa>{to, length});
}

/// A finish that stores first(sum, c) for the sums of each column c as rows of `scores`, and calls body(row) for
/// each stored row while the next tiles are computed. So the processor multiplies and does the body's other
/// operations at once. It can do so only if they depend on each other in short chains, so some of them belong
/// in `first`. rest() does what is left.
template <class Isa, int C, class First, class Body>
struct Later {
  float* scores;
  const First& first;
  const Body& body;
  mutable int64_t next = 0, ready = 0;

  [[gnu::always_inline]] void meanwhile() const {
    if (next < ready) body(next++);
  }
  void rest() const {
    while (next < ready) body(next++);
  }
  template <int R>
  [[gnu::always_inline]] void operator()(int64_t row, typename Isa::Vector (&sums)[R][C]) const {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c)
        Isa::store(scores + (row + r) * panel_of<Isa> + c * Isa::lanes, first(sums[r][c], c));
    }
    ready = row + R;
  }
};

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
