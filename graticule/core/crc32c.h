// CRC-32C (Castagnoli): the checksum of checkpoint manifests, of TensorBoard's records and of Zarr chunks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace graticule {

/// CRC-32C of `bytes`, going on from `previous` (the checksum of the bytes before them): polynomial
/// 0x1EDC6F41, reflected, initial and final value inverted (RFC 3720, appendix B.4).
uint32_t crc32c(std::span<const std::byte> bytes, uint32_t previous = 0);

}  // namespace graticule
