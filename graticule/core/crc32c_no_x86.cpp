#include "graticule/core/crc32c_remainder.h"

namespace graticule {

uint32_t remainder_by_processor(std::span<const std::byte> bytes, uint32_t remainder) {
  return remainder_by_tables(bytes, remainder);
}

}  // namespace graticule
