// A file or folder that arrays are written into, chunk by chunk.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graticule/data/field_layout.h"

namespace graticule {

class ArrayStore {
 public:
  virtual ~ArrayStore() = default;
  /// A chunk that begins at `start` and holds `count` elements along each axis (fewer than the chunk at the
  /// end), row-major.
  virtual void write(size_t array, const std::vector<int64_t>& start, const std::vector<int64_t>& count,
                     std::span<const float> values) = 0;
  /// Everything is on disk, or this fails.
  virtual void finish() = 0;
};

/// Zarr format 2 in the new folder `path`. Fails where the folder cannot be made or written.
std::unique_ptr<ArrayStore> create_zarr(const std::string& path, const FieldLayout& layout);
/// NetCDF-4 in the new file `path`; `layout` must outlive the store.
std::unique_ptr<ArrayStore> create_netcdf(const std::string& path, const FieldLayout& layout);

}  // namespace graticule
