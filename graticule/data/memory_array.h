// Coordinates that a reader makes itself, for files that have none.
#pragma once

#include <string>
#include <vector>

#include "graticule/data/stored_array.h"

namespace graticule {

/// Adds the coordinate `name` along the dimension of its own name.
void add_axis(Dataset& data, const std::string& name, const nlohmann::json& attributes,
              std::vector<double> values);

}  // namespace graticule
