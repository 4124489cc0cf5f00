// One array of a Zarr store; it assembles boxes from chunks. zarr.cpp makes it.
#pragma once

#include <memory>

#include "graticule/data/chunk_cache.h"
#include "graticule/data/key_store.h"
#include "graticule/data/zarr_metadata.h"

namespace graticule {

/// Makes the array whose chunks are below the key `folder` of `store`; nothing is read before its first read().
/// `cache` keeps decoded chunks.
std::unique_ptr<StoredArray> open_zarr_array(ZarrMetadata metadata, Keys store, std::string folder,
                                             std::shared_ptr<ChunkCache> cache);

}  // namespace graticule
