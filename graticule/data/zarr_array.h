// One array of a Zarr store; it assembles boxes from chunks. zarr.cpp makes it.
#pragma once

#include <memory>

#include "graticule/data/chunk_cache.h"
#include "graticule/data/zarr_metadata.h"

namespace graticule {

/// Makes the array; nothing is read before its first read(). `cache` keeps decoded chunks.
std::unique_ptr<StoredArray> open_zarr_array(ZarrMetadata metadata, std::shared_ptr<ChunkCache> cache);

}  // namespace graticule
