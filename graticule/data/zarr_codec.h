// Decodes the bytes of Zarr chunks. Damaged input fails with a message that names `where`; it never crashes.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "graticule/data/file_bytes.h"
#include "graticule/data/zarr_metadata.h"

namespace graticule {

/// Undoes `codecs` (given in the order of encoding). Fails when the result has more than `most` bytes.
Bytes decode_up_to(Bytes encoded, const std::vector<ByteCodec>& codecs, size_t most,
                   const std::string& where);
/// The same; fails when the result does not have `size` bytes.
Bytes decode(Bytes encoded, const std::vector<ByteCodec>& codecs, size_t size, const std::string& where);

/// Checks the header of a Blosc buffer. Returns the size of the decoded buffer and of its blocks, which can
/// be decoded one by one.
struct BloscLayout {
  size_t size = 0, block = 0;
};
BloscLayout blosc_layout(std::span<const std::byte> encoded, const std::string& where);
/// Decodes out.size() bytes from byte `begin` of the decoded buffer on.
void decode_blosc_block(std::span<const std::byte> encoded, size_t begin, std::span<std::byte> out,
                        const std::string& where);

}  // namespace graticule
