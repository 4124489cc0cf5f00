// Counts against the model itself.

#include "graticule/model/shape.h"

#include <gtest/gtest.h>

#include "graticule/model/presets.h"
#include "graticule/model/tokenizer.h"
#include "graticule/model/vit.h"

namespace graticule {
namespace {

TEST(Shape, CountsTheParametersOfTheModel) {
  for (const TokenMode mode : {TokenMode::full, TokenMode::aggregated, TokenMode::channels}) {
    for (const bool more : {false, true}) {
      ModelShape shape;
      shape.grid = {mode, 5, 7, 12, 3};
      shape.dim = 24, shape.depth = 3, shape.heads = 6;
      if (more) shape.kv_heads = 2, shape.qk_norm = true, shape.head_layers = 2, shape.mlp_ratio = 2.5;
      const auto blocks = vision_transformer(shape, {0, shape.grid.tokens()}, Attention());
      EXPECT_EQ(flat_numel(blocks.front().parameters), tokenizer_parameters(shape));
      EXPECT_EQ(flat_numel(blocks[1].parameters), block_parameters(shape));
      EXPECT_EQ(flat_numel(blocks.back().parameters), head_parameters(shape));
      int64_t sum = 0;
      for (const auto& block : blocks) sum += flat_numel(block.parameters);
      EXPECT_EQ(sum, parameters(shape));
    }
  }
}

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

TEST(Shape, RefusesSizesThatMakeNoModel) {
  ModelShape shape;
  EXPECT_NO_THROW(validate(shape));
  for (const auto& [dim, heads] : {std::pair<int64_t, int64_t>{64, 5}, {66, 2}, {1024, 2}, {0, 1}}) {
    shape.dim = dim, shape.heads = heads;
    EXPECT_THROW(validate(shape), std::invalid_argument) << dim << " over " << heads;
  }
}

TEST(Position, HasNoSeamAtTheDateLine) {
  ModelShape shape;
  shape.grid = {TokenMode::full, 2, 8, 64, 1}, shape.dim = 32;
  const TokenGrid& grid = shape.grid;
  const Block block = tokenizer(shape, {0, grid.tokens()});
  // Without weights the position is all that a token has.
  const Weights none = as_weights(block.parameters, at::zeros({flat_numel(block.parameters)}));
  const at::Tensor input_BTKP = at::ones({1, grid.tokens(), 1, 1}), lead_B = at::ones({1});
  const at::Tensor embedding_TC = block.run(none, input_BTKP, {.lead_hours_B = lead_B})[0];
  const auto distance = [&](int64_t a, int64_t b) {
    return (embedding_TC[a] - embedding_TC[b]).norm().item<double>();
  };
  EXPECT_NEAR(distance(0, 63), distance(0, 1), 1e-4);
  EXPECT_NEAR(distance(0, 62), distance(0, 2), 1e-4);
  EXPECT_TRUE(at::equal(embedding_TC.narrow(0, 0, grid.places()),
                        embedding_TC.narrow(0, grid.places(), grid.places())));
}

}  // namespace
}  // namespace graticule
