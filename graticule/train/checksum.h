// The checksum of a whole file, as checkpoint manifests contain it.
#pragma once

#include <string>

namespace graticule {

/// CRC-32C of a file: "crc32c:" and eight hexadecimal digits. Fails when the file cannot be read.
std::string file_checksum(const std::string& path);

}  // namespace graticule
