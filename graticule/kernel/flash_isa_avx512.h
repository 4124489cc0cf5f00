// AVX-512 operations for the tile kernels (flash_tile_product.h). Two files include it, each compiled for
// other instructions; the anonymous namespace keeps their functions apart.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

namespace graticule {
namespace {

struct Avx512 {
  using Vector = __m512;
  static constexpr int lanes = 16, rows = 6,
                       columns = 4;  // 24 sums, 4 right vectors and a left one: 29 of 32 registers
  static constexpr int64_t block = 96,
                           pair = 1;       // block x panel scores are 24 KiB: they stay in the first cache
  static constexpr bool overlaps = false;  // quick_step gains nothing (docs/log.md)

  static Vector zero() { return _mm512_setzero_ps(); }
  static Vector load(const float* x) { return _mm512_loadu_ps(x); }
  static void store(float* to, Vector x) { _mm512_storeu_ps(to, x); }
  static Vector broadcast(float x) { return _mm512_set1_ps(x); }
  static Vector multiply_add(Vector sum, Vector a, Vector b) { return _mm512_fmadd_ps(a, b, sum); }
  static Vector add_product(Vector sum, Vector a, Vector b) { return _mm512_fmadd_ps(a, b, sum); }
  static Vector multiply_subtract(Vector a, Vector b, Vector c) { return _mm512_fmsub_ps(a, b, c); }
  static Vector larger(Vector a, Vector b) { return _mm512_max_ps(a, b); }

  /// x, but 0 in lanes where `most` is -infinity. No score of such a lane is finite, and each of its
  /// exponentials must be 0.
  static Vector zero_where_infinite(Vector x, Vector most) {
    const auto none = _mm512_cmp_ps_mask(most, _mm512_set1_ps(-__builtin_inff()), _CMP_EQ_OQ);
    return _mm512_mask_mov_ps(x, none, zero());
  }

  /// 2^x = 2^floor(x) 2^f with f = x - floor(x). 2^f is a minimax polynomial on [0, 1) that is 1 at 0; its
  /// relative error is 8.3e-8.
  static Vector exp2(Vector x) {
    const auto f = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    auto p =
        _mm512_fmadd_ps(f, _mm512_set1_ps(1.8671300717181373e-3f), _mm512_set1_ps(9.017030317328128e-3f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(5.579991310806764e-2f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(2.4016445015306048e-1f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(6.93151311804874e-1f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.0f));
    return _mm512_scalef_ps(p, x);
  }

  static void store_pair(float* to, const Vector* x) { store(to, x[0]); }
  static void store_left(float* to, Vector x) { store(to, x); }

  static void widen_half(const uint16_t* from, int64_t count, float* to) {
    for (int64_t i = 0; i < count; i += lanes) {
      const auto mask = static_cast<__mmask16>(count - i >= lanes ? 0xffff : (1u << (count - i)) - 1);
      const auto half = _mm256_maskz_loadu_epi16(mask, from + i);
      _mm512_mask_storeu_ps(to + i, mask, _mm512_cvtph_ps(half));
    }
  }

  static void narrow_half(const float* from, int64_t count, float factor, uint16_t* to) {
    for (int64_t i = 0; i < count; i += lanes) {
      const auto mask = static_cast<__mmask16>(count - i >= lanes ? 0xffff : (1u << (count - i)) - 1);
      const auto value = _mm512_maskz_loadu_ps(mask, from + i) * broadcast(factor);
      _mm256_mask_storeu_epi16(to + i, mask,
                               _mm512_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    }
  }

  /// Transposes a square of lanes x lanes. exchange<h> corrects bit h of the index: afterwards row i has the
  /// right numbers for all bits of i up to h.
  static void transpose(const float* from, int64_t from_length, float* to, int64_t to_length) {
    __m512 x[lanes];
#pragma GCC unroll 16
    for (int i = 0; i < lanes; ++i) x[i] = load(from + i * from_length);
    exchange<1>(x);
    exchange<2>(x);
    exchange<4>(x);
    exchange<8>(x);
#pragma GCC unroll 16
    for (int i = 0; i < lanes; ++i) store(to + i * to_length, x[i]);
  }

 private:
  /// Swaps, in each pair of rows i and i + h, the off-diagonal squares of side h.
  template <int h>
  [[gnu::always_inline]] static void exchange(__m512 (&x)[lanes]) {
    struct alignas(64) Indices {
      int low[lanes], high[lanes];
    };
    static constexpr Indices indices = [] {
      Indices made{};
      for (int j = 0; j < lanes; ++j) {
        made.low[j] = j & h ? lanes + j - h : j;
        made.high[j] = j & h ? lanes + j : j + h;
      }
      return made;
    }();
    const auto take_low = _mm512_load_si512(indices.low), take_high = _mm512_load_si512(indices.high);
#pragma GCC unroll 16
    for (int i = 0; i < lanes; ++i) {
      if (i & h) continue;
      const auto a = x[i], b = x[i + h];
      x[i] = _mm512_permutex2var_ps(a, take_low, b);
      x[i + h] = _mm512_permutex2var_ps(a, take_high, b);
    }
  }
};

}  // namespace
}  // namespace graticule
