// Makes one Source of opened containers: finds the coordinates, brings every grid into the canonical
// orientation, joins files that hold other variables or other times.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "graticule/data/source.h"
#include "graticule/data/stored_array.h"

namespace graticule {

/// Refuses data sets on different grids, a variable given twice for one time, and when no variable lies on a
/// latitude-longitude grid.
std::unique_ptr<Source> make_grid_source(const std::string& path, std::vector<Dataset> datasets);

}  // namespace graticule
