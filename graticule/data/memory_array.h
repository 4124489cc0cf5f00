// Coordinates that a reader makes itself, for files that have none.
#pragma once

#include <string>
#include <vector>

#include "graticule/data/stored_array.h"

namespace graticule {

/// Adds the coordinate `name` along the dimension of its own name, or along `dimension`.
void add_axis(Dataset& data, const std::string& name, const nlohmann::json& attributes,
              std::vector<double> values, const std::string& dimension = "");

/// start + (i + shift) * step for i = 0 .. count - 1. A shift of 0.5 gives the middles of cells that begin at `start`.
std::vector<double> even_places(int64_t count, double start, double step, double shift = 0);

}  // namespace graticule
