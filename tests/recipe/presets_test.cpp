// Tests that presets have the numbers of parameters in their names.
#include "graticule/recipe/presets.h"

#include <gtest/gtest.h>

#include <map>

#include "graticule/core/model_shape.h"

namespace graticule {
namespace {

TEST(Presets, HaveTheParametersTheyAreNamedAfter) {
  const std::map<std::string, int64_t> in_blocks = {
      {"tiny", 199936}, {"115m", 100769792}, {"1b", 1007165440}, {"10b", 9664954368}};
  for (const Preset& preset : presets()) {
    EXPECT_EQ(&preset_of(preset.name), &preset);
    ModelShape shape;
    shape.dim = preset.dim, shape.depth = preset.depth, shape.heads = preset.heads;
    EXPECT_EQ(shape.depth * block_parameters(shape), in_blocks.at(std::string(preset.name))) << preset.name;
  }
  EXPECT_THROW(preset_of("2b"), std::invalid_argument);
  ModelShape shape;
  // ClimaX at 1.40625 degrees, patch 2, 48 variables, two hidden layers in the head: 116.0 million.
  shape.grid = {TokenMode::aggregated, 48, 128, 256, 2};
  shape.head_layers = 2;
  shape.dim = 1024, shape.depth = 8, shape.heads = 16;
  EXPECT_NEAR(static_cast<double>(parameters(shape)), 108e6, 2e6);
}

}  // namespace
}  // namespace graticule
