// This file is compiled for AVX2 with FMA and F16C: only the tables below may be used outside it.
#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "graticule/kernel/flash_tile_backward.h"
#include "graticule/kernel/matrix_pack.h"

namespace graticule {
namespace {

struct Avx2 {
  using Vector = __m256;
  static constexpr int lanes = 8, rows = 6,
                       columns = 2;  // 12 sums, 2 right vectors and a left one: 15 of 16 registers
  static constexpr int64_t block = 192, pair = 1;
  static constexpr bool overlaps = true;  // exponentials beside products are faster (quick_step)

  static Vector zero() { return _mm256_setzero_ps(); }
  static Vector load(const float* x) { return _mm256_loadu_ps(x); }
  static void store(float* to, Vector x) { _mm256_storeu_ps(to, x); }
  static Vector broadcast(float x) { return _mm256_set1_ps(x); }
  /// Written out, because GCC 12 else takes the instruction that overwrites a factor, and then moves sums
  /// about.
  static Vector multiply_add(Vector sum, Vector a, Vector b) {
    asm("vfmadd231ps %2, %1, %0" : "+x"(sum) : "x"(a), "x"(b));
    return sum;
  }
  static Vector add_product(Vector sum, Vector a, Vector b) { return _mm256_fmadd_ps(a, b, sum); }
  static Vector multiply_subtract(Vector a, Vector b, Vector c) { return _mm256_fmsub_ps(a, b, c); }
  static Vector larger(Vector a, Vector b) { return _mm256_max_ps(a, b); }

  static Vector zero_where_infinite(Vector x, Vector most) {
    return _mm256_andnot_ps(_mm256_cmp_ps(most, broadcast(-__builtin_inff()), _CMP_EQ_OQ), x);
  }

  /// 2^x. Between -127 and -126 the result is some number below 2^-126; at -127 and below it is 0, above 127 it
  /// is 2^127.
  static Vector exp2(Vector x) { return exp2_clamped(clamp_exponent(x)); }

  /// x as exp2_clamped takes it. Keeps a NaN: it is the second operand.
  static Vector clamp_exponent(Vector x) {
    return _mm256_min_ps(broadcast(127.0f), _mm256_max_ps(broadcast(-127.0f), x));
  }

  /// 2^x = 2^(n/8) 2^f, where n/8 is the nearest eighth. 2^f is a polynomial for |f| <= 1/16 that is 1 at 0;
  /// its relative error is 2.5e-8. Adding 1.5 2^20 + 127 rounds x to eighths. The low three bits of the sum
  /// choose 2^(j/8) from a table, and those above are the exponent of 2^floor(n/8). So few of the operations
  /// need the unit that multiplies, which the products keep busy. The polynomial is taken in two halves. That
  /// costs a multiplication, but the result is ready four cycles sooner, so more products fit beside it.
  static Vector exp2_clamped(Vector x) {
    const auto eighths = _mm256_setr_epi32(0, -289342, -509968, -655657, -719629, -694486, -572163, -343865);
    const auto rounder = broadcast(1572991.0f);
    const auto rounded = x + rounder;
    const auto f = x - (rounded - rounder);
    const auto low = _mm256_fmadd_ps(f, broadcast(6.93147242e-1f), broadcast(1.0f));
    const auto high = _mm256_fmadd_ps(f, broadcast(5.54962233e-2f), broadcast(2.40257636e-1f));
    const auto p = _mm256_fmadd_ps(f * f, high, low);
    const auto bits = _mm256_castps_si256(rounded);
    const auto power =
        _mm256_add_epi32(_mm256_slli_epi32(bits, 20), _mm256_permutevar8x32_epi32(eighths, bits));
    return p * _mm256_castsi256_ps(power);
  }

  static bool all_below(Vector x, float limit) {
    return _mm256_movemask_ps(_mm256_cmp_ps(x, broadcast(limit), _CMP_LT_OQ)) == 0xff;
  }

  static void store_pair(float* to, const Vector* x) { store(to, x[0]); }
  static void store_left(float* to, Vector x) { store(to, x); }

  static void widen_half(const uint16_t* from, int64_t count, float* to) {
    int64_t i = 0;
    for (; i + lanes <= count; i += lanes) store(to + i, wide_of(from + i));
    if (i == count) return;
    uint16_t half[lanes] = {};
    float wide[lanes];
    std::memcpy(half, from + i, static_cast<size_t>(count - i) * 2);
    store(wide, wide_of(half));
    std::memcpy(to + i, wide, static_cast<size_t>(count - i) * 4);
  }

  static void narrow_half(const float* from, int64_t count, float factor, uint16_t* to) {
    int64_t i = 0;
    for (; i + lanes <= count; i += lanes) store_half(to + i, load(from + i) * broadcast(factor));
    if (i == count) return;
    float wide[lanes] = {};
    uint16_t half[lanes];
    std::memcpy(wide, from + i, static_cast<size_t>(count - i) * 4);
    store_half(half, load(wide) * broadcast(factor));
    std::memcpy(to + i, half, static_cast<size_t>(count - i) * 2);
  }

  /// Transposes a square of 8 x 8: pairs of rows, then pairs of pairs, then the halves of the registers are
  /// swapped.
  static void transpose(const float* from, int64_t from_length, float* to, int64_t to_length) {
    Vector x[lanes], y[lanes];
#pragma GCC unroll 8
    for (int i = 0; i < lanes; ++i) x[i] = load(from + i * from_length);
#pragma GCC unroll 4
    for (int i = 0; i < lanes; i += 2) {
      y[i] = _mm256_unpacklo_ps(x[i], x[i + 1]);
      y[i + 1] = _mm256_unpackhi_ps(x[i], x[i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < lanes; i += 4) {
      x[i] = _mm256_shuffle_ps(y[i], y[i + 2], 0x44);
      x[i + 1] = _mm256_shuffle_ps(y[i], y[i + 2], 0xee);
      x[i + 2] = _mm256_shuffle_ps(y[i + 1], y[i + 3], 0x44);
      x[i + 3] = _mm256_shuffle_ps(y[i + 1], y[i + 3], 0xee);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      store(to + i * to_length, _mm256_permute2f128_ps(x[i], x[i + 4], 0x20));
      store(to + (i + 4) * to_length, _mm256_permute2f128_ps(x[i], x[i + 4], 0x31));
    }
  }

 private:
  static Vector wide_of(const uint16_t* half) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(half)));
  }
  static void store_half(uint16_t* to, Vector x) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
  }
};

}  // namespace

extern const FlashTiles tiles_avx2;
const FlashTiles tiles_avx2 = tiles_of<Avx2>();
extern const MatrixPacking packing_avx2;
const MatrixPacking packing_avx2 = matrix_packing_of<Avx2>();

}  // namespace graticule
