// The mixing function of SplitMix64 (Steele, Lea, Flood 2014). It is integer arithmetic, so it gives the same
// numbers on every machine. It seeds initial weights, the order of samples and drop path.
#pragma once

#include <cstdint>

namespace graticule {

/// The constant that SplitMix64 adds to its state for each number: odd, and near 2^64 divided by the golden
/// ratio.
constexpr uint64_t split_mix_step = 0x9e3779b97f4a7c15U;

/// The random number of a state. The map is one to one, and a change of any bit of the state changes about
/// half of the bits of the number.
constexpr uint64_t split_mix(uint64_t state) {
  state = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9U;
  state = (state ^ (state >> 27)) * 0x94d049bb133111ebU;
  return state ^ (state >> 31);
}

}  // namespace graticule
