// Random numbers that are the same on every machine and compiler: SplitMix64 (Steele, Lea and Flood, "Fast
// splittable pseudorandom number generators", 2014). The sample order and the synthetic waves draw from it.
#pragma once

#include <cstdint>

#include "graticule/core/split_mix.h"

namespace graticule {

class Random {
 public:
  /// Streams of different `seed` or `stream` are independent.
  explicit Random(uint64_t seed, uint64_t stream = 0) : state_(seed) {
    state_ = next() ^ (stream * 0xd1342543de82ef95U);
  }

  uint64_t next() { return split_mix(state_ += split_mix_step); }
  /// In [0, 1).
  double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  /// In [0, n).
  int64_t below(int64_t n) { return static_cast<int64_t>(next() % static_cast<uint64_t>(n)); }

 private:
  uint64_t state_;
};

}  // namespace graticule
