// Makes one Source (source.h) out of opened files or stores: it turns every grid into the canonical
// orientation, and joins files that have different variables or times. open_source calls it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "graticule/core/image_layout.h"
#include "graticule/data/chunk_cache.h"
#include "graticule/data/source.h"
#include "graticule/data/stored_array.h"

namespace graticule {

/// `path`: as the user gave it, for messages. `layout`: whether fields on a sphere or on cells are read. `cache`: used by
/// the arrays of `datasets`; its capacity is set here. Refuses data sets on different grids, a data set without any
/// variable on the wanted grid, and whatever `join` and `roles_of` refuse.
std::unique_ptr<Source> make_grid_source(const std::string& path, std::vector<Dataset> datasets,
                                         const ImageLayout& layout, std::shared_ptr<ChunkCache> cache);

}  // namespace graticule
