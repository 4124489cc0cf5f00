// Named model sizes.
#pragma once

#include <span>
#include <string_view>

#include "graticule/model/shape.h"

namespace graticule {

struct Preset {
  std::string_view name;
  int64_t dim, depth, heads;
};

/// tiny, 115m, 1b, 10b; the names give the parameters of the blocks in round numbers.
std::span<const Preset> presets();

/// Sets width, depth and heads of `shape`. Refuses an unknown name and lists the known ones.
void apply_preset(std::string_view name, ModelShape& shape);

}  // namespace graticule
