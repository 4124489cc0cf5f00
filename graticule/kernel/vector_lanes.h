// Vectors of fp32 lanes in GCC's notation, as wide as the instruction set for which a file is compiled. Each
// instruction set includes this in a file of its own; the anonymous namespace keeps their functions apart.
#pragma once

#include <cstdint>
#include <cstring>

namespace graticule {
namespace {

#if defined(__AVX512F__)
constexpr int lanes = 16;
#elif defined(__AVX2__)
constexpr int lanes = 8;
#else
constexpr int lanes = 4;
#endif

using Floats [[gnu::vector_size(4 * lanes)]] = float;
using Ints [[gnu::vector_size(4 * lanes)]] = int32_t;
using Words [[gnu::vector_size(4 * lanes)]] = uint32_t;
using Halves [[gnu::vector_size(2 * lanes)]] = uint16_t;

/// A bf16 number: the upper half of an fp32 number.
struct Bf16 {
  uint16_t bits;
};

template <class To, class From>
inline To same_bits(From x) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &x, sizeof(To));
  return to;
}

inline Floats all(float x) { return Floats{} + x; }

inline Floats load(const float* x) {
  Floats v;
  std::memcpy(&v, x, sizeof(v));
  return v;
}

inline Floats load(const Bf16* x) {
  Halves v;
  std::memcpy(&v, x, sizeof(v));
  return same_bits<Floats>(__builtin_convertvector(v, Words) << 16);
}

/// x as the dtype keeps it.
inline Floats rounded(Floats x, const float*) { return x; }

/// To the nearest, ties to even; NaN stays NaN.
inline Floats rounded(Floats x, const Bf16*) {
  const auto bits = same_bits<Words>(x);
  const Words nearest = bits + 0x7fff + ((bits >> 16) & 1);
  // NOLINTNEXTLINE(misc-redundant-expression): false for NaN
  return same_bits<Floats>((x == x ? nearest : bits | 0x400000) & 0xffff0000);
}

inline void store(float* to, Floats x) { std::memcpy(to, &x, sizeof(x)); }

/// x must be rounded.
inline void store(Bf16* to, Floats x) {
  const Halves v = __builtin_convertvector(same_bits<Words>(x) >> 16, Halves);
  std::memcpy(to, &v, sizeof(v));
}

/// The first `count` lanes, then zeros.
template <class T>
inline Floats load_some(const T* x, int64_t count) {
  T some[lanes] = {};
  std::memcpy(some, x, static_cast<size_t>(count) * sizeof(T));
  return load(some);
}

template <class T>
inline void store_some(T* to, Floats x, int64_t count) {
  T some[lanes];
  store(some, x);
  std::memcpy(to, some, static_cast<size_t>(count) * sizeof(T));
}

/// Runs step(in, out, some) for each group of lanes of [0, count). in(x) loads the group's part of x. out(to, v)
/// rounds v, stores it there, and returns what it stored. The last group may have fewer lanes: then the others are
/// loaded as zeros and not stored, and some(v) is v with zeros there.
template <class Step>
inline void for_lanes(int64_t count, const Step& step) {
  int64_t i = 0;
  const auto out = [&i](auto* to, Floats v) {
    v = rounded(v, to);
    store(to + i, v);
    return v;
  };
  for (; i + lanes <= count; i += lanes) {
    step([&i](const auto* x) { return load(x + i); }, out, [](Floats v) { return v; });
  }
  if (i == count) return;
  const int64_t rest = count - i;
  const auto some = [rest](Floats v) {
    float lane[lanes];
    store(lane, v);
    return load_some(lane, rest);
  };
  const auto out_some = [i, rest](auto* to, Floats v) {
    v = rounded(v, to);
    store_some(to + i, v, rest);
    return v;
  };
  step([i, rest](const auto* x) { return load_some(x + i, rest); }, out_some, some);
}

/// The sum of the lanes.
inline float sum(Floats x) {
  float lane[lanes];
  store(lane, x);
  for (int width = lanes / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) lane[i] += lane[i + width];
  }
  return lane[0];
}

/// 2^x for x <= 0; below 2^-126 it stays 2^-126. x = n + f with |f| <= 1/2, and 2^f is a minimax polynomial of
/// relative error 7.5e-8.
inline Floats exp2_of_negative(Floats x) {
  x = x > -126.0f ? x : all(-126.0f);
  const Floats shifted = x + 0x1.8p23f;  // so large that n is in its last bits
  const Floats f = x - (shifted - 0x1.8p23f);
  Floats p = f * 1.3276471e-3f + 9.6755410e-3f;
  p = p * f + 5.5507131e-2f;
  p = p * f + 2.4022120e-1f;
  p = p * f + 6.9314694e-1f;
  p = p * f + 1.0000001f;
  const Ints n = same_bits<Ints>(shifted) - same_bits<int32_t>(0x1.8p23f);
  return same_bits<Floats>(same_bits<Ints>(p) + (n << 23));
}

}  // namespace
}  // namespace graticule
