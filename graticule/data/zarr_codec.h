// Bytes -> bytes decoding of Zarr chunks. Damaged input fails, naming `where`; it never crashes.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "graticule/data/file_bytes.h"
#include "graticule/data/zarr_metadata.h"

namespace graticule {

/// Undoes `codecs` (given in the order of encoding). The result has `size` bytes, or it fails.
Bytes decode(Bytes encoded, const std::vector<ByteCodec>& codecs, size_t size, const std::string& where);

/// A Blosc buffer of exactly these bytes, its header checked: what it decodes to, and the size of its blocks,
/// which can be decoded one by one.
struct BloscLayout {
  size_t size = 0, block = 0;
};
BloscLayout blosc_layout(std::span<const std::byte> encoded, const std::string& where);
void decode_blosc_block(std::span<const std::byte> encoded, size_t begin, std::span<std::byte> out,
                        const std::string& where);

}  // namespace graticule
