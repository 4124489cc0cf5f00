// Named model sizes.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace graticule {

struct Preset {
  std::string_view name;
  int64_t dim, depth, heads;
};

/// tiny, 115m, 1b, 10b; the names give the parameters of the blocks in round numbers.
std::span<const Preset> presets();

/// The preset of this name. Refuses an unknown one and lists those there are.
const Preset& preset_of(std::string_view name);

}  // namespace graticule
