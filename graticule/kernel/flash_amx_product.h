// Products of bf16 matrices by AMX (Intel's matrix unit): an instruction multiplies a tile of 16 x 32 numbers by
// one of 32 x 16 and adds the result to a tile of 16 x 16 fp32 sums. Its operands are units (flash_tiles.h): 16
// rows of 16 units of A, and 16 units of B for each of 16 lanes. So A is packed by rows, B as a panel.
//
// Work goes by *squares* of 32 x 32 sums, which are four tiles: each tile of A and B is used twice.
#pragma once

#include <cstdint>

#include "graticule/kernel/flash_isa_avx512_bf16.h"
#include "graticule/kernel/flash_tile_pack.h"

namespace graticule {
namespace {

struct Amx : Avx512Bf16 {
  static constexpr int64_t block = 128;
};

constexpr int64_t side = 32;        // of a square
constexpr int64_t step_units = 16;  // terms of one instruction, in units
constexpr int64_t square_floats = side * side;
constexpr int64_t amx_panel = panel_of<Amx>;  // two squares of lanes

[[gnu::always_inline]] inline int64_t squares(int64_t length) { return ceil_div(length, side); }
/// The length of packed rows and columns. They are filled up with zeros.
[[gnu::always_inline]] inline int64_t padded(int64_t length) { return squares(length) * side; }

/// Gives the tiles of this thread the shape 16 rows x 64 bytes during its lifetime, and then the shapes that they
/// had: oneDNN remembers those that it has set.
class TileShapes {
 public:
  TileShapes() {
    _tile_storeconfig(&before_);
    Shapes shapes{};
    shapes.palette = 1;
    for (int i = 0; i < 8; ++i) shapes.rows[i] = 16, shapes.bytes[i] = 64;
    _tile_loadconfig(&shapes);
  }
  ~TileShapes() { _tile_loadconfig(&before_); }
  TileShapes(const TileShapes&) = delete;
  TileShapes& operator=(const TileShapes&) = delete;

 private:
  struct alignas(64) Shapes {  // Intel's Software Developer's Manual, volume 1, chapter 18
    uint8_t palette, start_row, reserved[14];
    uint16_t bytes[16];
    uint8_t rows[16];
  };
  Shapes before_{};
};

/// A square of C = A B, or C += A B. Lengths are distances of rows in units (of C: in floats); the terms are
/// `steps` x 16 units.
template <bool add>
[[gnu::always_inline]] inline void multiply_square(const float* a, int64_t a_length, const float* b,
                                                   int64_t b_length, int64_t steps, float* c,
                                                   int64_t c_length) {
  constexpr int64_t half = 16;
  const int64_t a_bytes = a_length * 4, b_bytes = b_length * 4, c_bytes = c_length * 4;
  keep_order();  // the intrinsics do not tell the compiler that they read and write memory
  if constexpr (add) {
    _tile_loadd(0, c, c_bytes);
    _tile_loadd(1, c + half, c_bytes);
    _tile_loadd(2, c + half * c_length, c_bytes);
    _tile_loadd(3, c + half * c_length + half, c_bytes);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  for (int64_t step = 0; step < steps; ++step, a += step_units, b += step_units * b_length) {
    _tile_loadd(4, a, a_bytes);
    _tile_loadd(6, b, b_bytes);
    _tile_loadd(7, b + half, b_bytes);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, a + half * a_length, a_bytes);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, c, c_bytes);
  _tile_stored(1, c + half, c_bytes);
  _tile_stored(2, c + half * c_length, c_bytes);
  _tile_stored(3, c + half * c_length + half, c_bytes);
  keep_order();
}

/// C[rows, lanes] += A B, by squares; rows and lanes are multiples of 32.
inline void add_product(int64_t rows, int64_t lanes, const float* a, int64_t a_length, const float* b,
                        int64_t b_length, int64_t steps, float* c, int64_t c_length) {
  for (int64_t row = 0; row < rows; row += side) {
    for (int64_t lane = 0; lane < lanes; lane += side) {
      multiply_square<true>(a + row * a_length, a_length, b + lane, b_length, steps,
                            c + row * c_length + lane, c_length);
    }
  }
}

}  // namespace
}  // namespace graticule
