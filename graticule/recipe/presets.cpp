#include "graticule/recipe/presets.h"

#include <array>

#include "graticule/core/error.h"

namespace graticule {

// 115m: width, depth and heads of ClimaX (arXiv 2301.10343, appendix B). 10b: the widest model of ORBIT-2,
// with more blocks, so that they have 10 billion parameters.
std::span<const Preset> presets() {
  static constexpr std::array<Preset, 4> all = {{
      {"tiny", 64, 4, 4},
      {"115m", 1024, 8, 16},
      {"1b", 2048, 20, 16},
      {"10b", 8192, 12, 32},
  }};
  return all;
}

const Preset& preset_of(std::string_view name) {
  std::string known;
  for (const Preset& preset : presets()) {
    if (preset.name == name) return preset;
    known += (known.empty() ? "" : ", ") + std::string(preset.name);
  }
  refuse("model", "preset '", name, "' is not known: choose ", known);
}

}  // namespace graticule
