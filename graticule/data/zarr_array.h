// Boxes of a Zarr array, put together from its chunks.
#pragma once

#include <memory>

#include "graticule/data/chunk_cache.h"
#include "graticule/data/zarr_metadata.h"

namespace graticule {

std::unique_ptr<StoredArray> open_zarr_array(ZarrMetadata metadata, std::shared_ptr<ChunkCache> cache);

}  // namespace graticule
