// CRC-32C (Castagnoli): the checksum in checkpoint manifests, TensorBoard records and Zarr chunks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace graticule {

/// The CRC-32C of `bytes` appended to the bytes whose checksum is `previous` (0: none before). Polynomial
/// 0x1EDC6F41, reflected, initial and final value inverted (RFC 3720, appendix B.4).
uint32_t crc32c(std::span<const std::byte> bytes, uint32_t previous = 0);

}  // namespace graticule
