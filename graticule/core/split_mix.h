// The mixer of SplitMix64 (Steele, Lea, Flood 2014): integer arithmetic, the same on every machine.
#pragma once

#include <cstdint>

namespace graticule {

/// What SplitMix64 adds to its state for each number: odd, near 2^64 over the golden ratio.
constexpr uint64_t split_mix_step = 0x9e3779b97f4a7c15U;

/// The number of a state: one to one, and a change of any bit changes about half of them.
constexpr uint64_t split_mix(uint64_t state) {
  state = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9U;
  state = (state ^ (state >> 27)) * 0x94d049bb133111ebU;
  return state ^ (state >> 31);
}

}  // namespace graticule
