// Tests checksums of files.
#include "graticule/train/checksum.h"

#include <gtest/gtest.h>

#include "graticule/core/crc32c.h"
#include "tests/train/scratch_folder.h"

namespace graticule {
namespace {

TEST(Checksum, OfFiles) {
  const ScratchFolder folder;
  write_bytes(folder / "small", "123456789");
  const std::string large((1 << 20) + 5, 'x');
  write_bytes(folder / "large", large);
  EXPECT_EQ(file_checksum(folder / "small"), "crc32c:e3069283");
  std::string expected(16, '\0');
  std::snprintf(expected.data(), expected.size(), "crc32c:%08x", crc32c(std::as_bytes(std::span(large))));
  EXPECT_EQ(file_checksum(folder / "large"), expected.substr(0, 15));
  EXPECT_THROW(file_checksum(folder / "nowhere"), std::runtime_error);
}

}  // namespace
}  // namespace graticule
