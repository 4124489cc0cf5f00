// Whole files and ranges of them, local or remote: every path that GDAL's virtual file system knows (/vsigs/,
// /vsis3/, /vsicurl/).
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace graticule {

/// A buffer whose bytes are not set to zero first.
struct Bytes {
  std::unique_ptr<std::byte[]> data;
  size_t size = 0;
  static Bytes of_size(size_t size) { return {std::make_unique_for_overwrite<std::byte[]>(size), size}; }
  std::span<std::byte> span() { return {data.get(), size}; }
  std::span<const std::byte> span() const { return {data.get(), size}; }
};

/// Nothing when the file does not exist; fails when that cannot be known (network) or it cannot be read.
std::optional<Bytes> read_file(const std::string& path);
std::optional<std::string> read_text(const std::string& path);
std::optional<size_t> file_size(const std::string& path);

/// Fails when the file has fewer bytes.
void read_range(const std::string& path, size_t offset, std::span<std::byte> out);

bool is_folder(const std::string& path);
/// Names in a folder, sorted.
std::vector<std::string> names_in(const std::string& folder);

}  // namespace graticule
