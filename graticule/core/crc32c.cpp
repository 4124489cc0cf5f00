#include "graticule/core/crc32c.h"

#include <array>
#include <bit>
#include <cstring>

#include "graticule/core/crc32c_remainder.h"

namespace graticule {

namespace {

// tables[k][b] is the remainder of byte b followed by k zero bytes, so that eight bytes take eight
// independent look-ups ("slicing by 8", Kounavis and Berry 2005).
using Tables = std::array<std::array<uint32_t, 256>, 8>;

constexpr Tables make_tables() {
  Tables tables = {};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t remainder = byte;
    for (int bit = 0; bit < 8; ++bit)
      remainder = (remainder >> 1) ^ ((remainder & 1) != 0 ? 0x82F63B78U : 0U);
    tables[0][byte] = remainder;
  }
  for (size_t k = 1; k < tables.size(); ++k) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint32_t shorter = tables[k - 1][byte];
      tables[k][byte] = (shorter >> 8) ^ tables[0][shorter & 0xFF];
    }
  }
  return tables;
}

constexpr Tables tables = make_tables();
static_assert(std::endian::native == std::endian::little);

}  // namespace

uint32_t remainder_by_tables(std::span<const std::byte> bytes, uint32_t remainder) {
  while (bytes.size() >= 8) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data(), 8);
    word ^= remainder;
    remainder = 0;
    for (size_t k = 0; k < 8; ++k) remainder ^= tables[7 - k][(word >> (8 * k)) & 0xFF];
    bytes = bytes.subspan(8);
  }
  for (const std::byte byte : bytes) {
    remainder = (remainder >> 8) ^ tables[0][(remainder ^ static_cast<uint32_t>(byte)) & 0xFF];
  }
  return remainder;
}

uint32_t crc32c(std::span<const std::byte> bytes, uint32_t previous) {
  return ~remainder_by_processor(bytes, ~previous);
}

}  // namespace graticule
