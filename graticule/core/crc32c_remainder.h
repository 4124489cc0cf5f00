// The loops of CRC-32C. crc32c.h is the way in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace graticule {

/// The remainder after `bytes`, when it was `remainder` before them; neither is inverted. For any processor.
uint32_t remainder_by_tables(std::span<const std::byte> bytes, uint32_t remainder);

/// The same by the processor's own instruction for CRC-32C where it has one: four times as fast.
uint32_t remainder_by_processor(std::span<const std::byte> bytes, uint32_t remainder);

}  // namespace graticule
