// Damages bytes at random, in ways that parsers meet: cut off, parts missing or twice, changed bits, numbers at the
// edge of their range, and other values of JSON.
#pragma once

#include <cstdint>
#include <random>
#include <string>

namespace graticule {

class Random {
 public:
  explicit Random(uint64_t seed) : bits_(seed) {}
  /// A number from 0 to n - 1, or 0 when n is 0.
  size_t below(size_t n) { return n == 0 ? 0 : static_cast<size_t>(bits_() % n); }

 private:
  std::mt19937_64 bits_;
};

/// `bytes` with one to six changes; parts may come from `other`.
std::string mutated(std::string bytes, const std::string& other, Random& random);

}  // namespace graticule
