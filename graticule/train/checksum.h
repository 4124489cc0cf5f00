// The checksum of a whole file, as checkpoint manifests contain it.
#pragma once

#include <cstdint>
#include <string>

namespace graticule {

/// CRC-32C of a file: "crc32c:" and eight hexadecimal digits. Fails when the file cannot be read.
std::string file_checksum(const std::string& path);
/// The same text for a CRC-32C that is known.
std::string checksum_text(uint32_t crc);

}  // namespace graticule
