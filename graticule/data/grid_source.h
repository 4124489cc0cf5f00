// Makes one Source of opened containers: every grid in the canonical orientation, files that hold other
// variables or other times joined.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "graticule/data/chunk_cache.h"
#include "graticule/data/source.h"
#include "graticule/data/stored_array.h"

namespace graticule {

/// Refuses data sets on different grids, what `join` and `roles_of` refuse, and when no variable lies on a
/// latitude-longitude grid. `cache` holds the chunks of all of them.
std::unique_ptr<Source> make_grid_source(const std::string& path, std::vector<Dataset> datasets,
                                         std::shared_ptr<ChunkCache> cache);

}  // namespace graticule
