// AVX-512 with BF16 for the tile kernels: a unit is two bf16 numbers, and one instruction adds both of their
// products to an fp32 sum. Two files include it, as flash_isa_avx512.h.
#pragma once

#include "graticule/kernel/flash_isa_avx512.h"

namespace graticule {
namespace {

struct Avx512Bf16 : Avx512 {
  static constexpr int64_t block = 192, pair = 2;

  static Vector multiply_add(Vector sum, Vector a, Vector b) {
    return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
  }

  /// Lane i of the units is x[0][i] in its low half and x[1][i] in its high half, rounded.
  static __m512i pair_of(const Vector* x) {
    alignas(64) static constexpr uint16_t interleave[32] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                                            21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                                            11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    const auto both = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(x[1], x[0]));
    return _mm512_permutexvar_epi16(_mm512_load_si512(interleave), both);
  }
  static void store_pair(float* to, const Vector* x) { _mm512_storeu_si512(to, pair_of(x)); }

  static void store_left(float* to, Vector x) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(x)));
  }
};

}  // namespace
}  // namespace graticule
