// Opens a Zarr store of format 2 or 3, consolidated or not, in any set of keys (key_store.h). open_source calls
// it.
#pragma once

#include <memory>
#include <string>

#include "graticule/data/chunk_cache.h"
#include "graticule/data/key_store.h"
#include "graticule/data/stored_array.h"

namespace graticule {

/// Whether the group ("" for the root) contains .zgroup, .zmetadata, .zarray or zarr.json.
bool is_zarr(const KeyStore& store, const std::string& group);

/// Opens a group and the coordinates of the groups above it. `cache` keeps decoded chunks. Refuses, by name,
/// what it cannot read (codecs, types, a single array). Fails on metadata that are cut off or against the
/// specification.
Dataset open_zarr(const Keys& store, const std::string& group, const std::shared_ptr<ChunkCache>& cache);
/// The same for a group in a folder, local or remote: the store's root may be a folder above it.
Dataset open_zarr(const std::string& folder, const std::shared_ptr<ChunkCache>& cache);

}  // namespace graticule
