// The checksum of HDF5's filter fletcher32, which numcodecs has under the same name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace graticule {

/// Fletcher's checksum over big-endian words of 16 bits; a last odd byte is the upper half of a word (HDF5,
/// H5checksum.c).
uint32_t fletcher32(std::span<const std::byte> bytes);

}  // namespace graticule
