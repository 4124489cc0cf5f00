// Writes arrays into a new file or folder, chunk by chunk. FieldWriter (field_writer.h) is its only user: it
// collects fields into chunks and calls write() once for each chunk. FieldLayout (field_layout.h) describes
// the arrays.
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
  /// Writes one chunk. `array`: its index in FieldLayout::arrays. The chunk begins at element `start` and has
  /// `count` elements along each axis (fewer than the layout's chunk where the array ends). `values`:
  /// row-major, fp32. Fails when the disk refuses the bytes.
  virtual void write(size_t array, const std::vector<int64_t>& start, const std::vector<int64_t>& count,
                     std::span<const float> values) = 0;
  /// Writes what is still buffered and closes the file. Fails when that is not possible.
  virtual void finish() = 0;
};

/// Makes a Zarr store of format 2 in the new folder `path`. `layout` must outlive the store. Fails when the
/// folder cannot be made or written.
std::unique_ptr<ArrayStore> create_zarr(const std::string& path, const FieldLayout& layout);
/// Makes a NetCDF-4 file at the new `path`. `layout` must outlive the store. Fails when the file cannot be
/// made.
std::unique_ptr<ArrayStore> create_netcdf(const std::string& path, const FieldLayout& layout);

}  // namespace graticule
