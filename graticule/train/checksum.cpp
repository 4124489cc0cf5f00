#include "graticule/train/checksum.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <vector>

#include "graticule/core/crc32c.h"
#include "graticule/train/file.h"

namespace graticule {

std::string file_checksum(const std::string& path) {
  const File file = File::open(path, "checksum");
  const int64_t size = file.size();
  std::vector<std::byte> buffer(static_cast<size_t>(std::min<int64_t>(size, 1 << 20)));
  uint32_t checksum = 0;
  for (int64_t offset = 0; offset < size;) {
    const auto piece =
        std::span(buffer).first(static_cast<size_t>(std::min<int64_t>(size - offset, 1 << 20)));
    file.read_at(offset, piece);
    checksum = crc32c(piece, checksum);
    offset += static_cast<int64_t>(piece.size());
  }
  return checksum_text(checksum);
}

std::string checksum_text(uint32_t crc) {
  std::array<char, 16> digits = {};
  std::snprintf(digits.data(), digits.size(), "crc32c:%08x", crc);
  return digits.data();
}

}  // namespace graticule
