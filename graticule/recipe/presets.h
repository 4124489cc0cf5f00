// Named model sizes, for model.preset of a recipe.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace graticule {

struct Preset {
  std::string_view name;
  int64_t dim, depth, heads;
};

/// All presets: tiny, 115m, 1b, 10b. The last three are named after the number of parameters in their blocks.
std::span<const Preset> presets();

/// The preset of this name. Refuses an unknown name and lists the known ones.
const Preset& preset_of(std::string_view name);

}  // namespace graticule
