// Tests CRC-32C against known answers and its definition.
#include "graticule/core/crc32c.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "graticule/core/crc32c_remainder.h"
#include "tests/seed.h"

namespace graticule {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

/// One bit after the other, straight from the definition.
uint32_t slow_crc32c(const std::string& bytes) {
  uint32_t remainder = ~0U;
  for (const char byte : bytes) {
    remainder ^= static_cast<uint8_t>(byte);
    for (int bit = 0; bit < 8; ++bit)
      remainder = (remainder >> 1) ^ ((remainder & 1) != 0 ? 0x82F63B78U : 0U);
  }
  return ~remainder;
}

TEST(Crc32c, KnownAnswers) {
  EXPECT_EQ(crc32c({}), 0U);
  EXPECT_EQ(crc32c(bytes_of("123456789")), 0xE3069283U);
  EXPECT_EQ(crc32c(bytes_of(std::string(32, '\0'))), 0x8A9136AAU);  // RFC 3720, B.4
}

TEST(Crc32c, AnyLengthAndAnyCut) {
  const uint64_t seed = test_seed();
  std::mt19937_64 random(seed);
  for (int i = 0; i < 50; ++i) {
    std::string bytes(random() % 100, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    const size_t cut = random() % (bytes.size() + 1);
    EXPECT_EQ(crc32c(bytes_of(bytes)), slow_crc32c(bytes)) << "seed " << seed;
    EXPECT_EQ(~remainder_by_tables(bytes_of(bytes), ~0U), slow_crc32c(bytes)) << "seed " << seed;
    EXPECT_EQ(crc32c(bytes_of(bytes).subspan(cut), crc32c(bytes_of(bytes).first(cut))), slow_crc32c(bytes))
        << "seed " << seed;
  }
}

}  // namespace
}  // namespace graticule
