#include "graticule/data/fletcher32.h"

#include <algorithm>

namespace graticule {

namespace {

uint32_t folded(uint32_t sum) { return (sum & 0xffff) + (sum >> 16); }

}  // namespace

uint32_t fletcher32(std::span<const std::byte> bytes) {
  constexpr size_t most = 360;  // words after which a sum may not fit 32 bits
  uint32_t first = 0, second = 0;
  const auto add = [&](std::byte high, std::byte low) {
    first += static_cast<uint32_t>(high) << 8 | static_cast<uint32_t>(low);
    second += first;
  };
  const size_t words = bytes.size() / 2;
  for (size_t begin = 0; begin < words; begin += most) {
    for (size_t i = begin; i < std::min(words, begin + most); ++i) add(bytes[2 * i], bytes[2 * i + 1]);
    first = folded(first);
    second = folded(second);
  }
  if (bytes.size() % 2 == 1) {
    add(bytes.back(), std::byte{0});
    first = folded(first);
    second = folded(second);
  }
  return folded(second) << 16 | folded(first);
}

}  // namespace graticule
