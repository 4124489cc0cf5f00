// Reads whole files, or byte ranges of them, local or remote: any path of GDAL's virtual file system works
// (/vsigs/, /vsis3/, /vsicurl/). The readers of Zarr and NetCDF use it.
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

/// The three functions below return nothing when the file surely does not exist. They fail when it cannot be
/// read, or when the network does not say whether it exists. They refuse a folder.
std::optional<Bytes> read_file(const std::string& path);
std::optional<std::string> read_text(const std::string& path);
std::optional<size_t> file_size(const std::string& path);

/// Fills `out` from byte `offset` on. Fails when the file ends before.
void read_range(const std::string& path, size_t offset, std::span<std::byte> out);

/// A part of a file and where its bytes go.
struct FilePart {
  size_t offset = 0;
  std::span<std::byte> out;
};
/// Fills all parts; the file is opened once. Fails when it ends before.
void read_parts(const std::string& path, std::span<const FilePart> parts);

/// The path as GDAL calls it: gs://bucket/path -> /vsigs/bucket/path. A path without "://" is returned
/// unchanged. Refuses an address of an unknown kind.
std::string gdal_path(const std::string& address);

/// Whether `path` is a folder, local or remote.
bool is_folder(const std::string& path);
/// The names in a folder, sorted. Fails when a local folder cannot be read.
std::vector<std::string> names_in(const std::string& folder);

}  // namespace graticule
