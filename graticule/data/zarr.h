// Opens a Zarr store of format 2 or 3, consolidated or not, in a local folder or in one that GDAL's virtual
// file system reaches. open_source calls it.
#pragma once

#include <memory>
#include <string>

#include "graticule/data/chunk_cache.h"
#include "graticule/data/stored_array.h"

namespace graticule {

/// Whether the folder contains .zgroup, .zmetadata, .zarray or zarr.json.
bool is_zarr(const std::string& folder);

/// Opens the store and the coordinates of the groups above it. `cache` keeps decoded chunks. Refuses, by
/// name, what it cannot read (codecs, types, a single array). Fails on metadata that are cut off or against
/// the specification.
Dataset open_zarr(const std::string& folder, const std::shared_ptr<ChunkCache>& cache);

}  // namespace graticule
