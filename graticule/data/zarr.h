// Opens a Zarr store: format 2 or 3, consolidated or not, a local folder or one that GDAL's virtual file
// system reaches.
#pragma once

#include <memory>
#include <string>

#include "graticule/data/chunk_cache.h"
#include "graticule/data/stored_array.h"

namespace graticule {

/// True when the folder holds .zgroup, .zmetadata, .zarray or zarr.json.
bool is_zarr(const std::string& folder);

/// Refuses, by name, what it cannot read; fails on metadata that are cut off or against the specification.
Dataset open_zarr(const std::string& folder, const std::shared_ptr<ChunkCache>& cache);

}  // namespace graticule
