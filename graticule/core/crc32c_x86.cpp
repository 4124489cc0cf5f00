// CRC-32C by the instruction of SSE4.2, which every x86 processor since 2011 has.
#include <cstring>

#include "graticule/core/crc32c_remainder.h"

namespace graticule {

namespace {

__attribute__((target("sse4.2"))) uint32_t remainder_by_sse42(std::span<const std::byte> bytes,
                                                              uint32_t remainder) {
  uint64_t wide = remainder;
  for (; bytes.size() >= 8; bytes = bytes.subspan(8)) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data(), 8);
    wide = __builtin_ia32_crc32di(wide, word);
  }
  auto narrow = static_cast<uint32_t>(wide);
  for (const std::byte byte : bytes) narrow = __builtin_ia32_crc32qi(narrow, static_cast<uint8_t>(byte));
  return narrow;
}

}  // namespace

uint32_t remainder_by_processor(std::span<const std::byte> bytes, uint32_t remainder) {
  static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
  return has_instruction ? remainder_by_sse42(bytes, remainder) : remainder_by_tables(bytes, remainder);
}

}  // namespace graticule
