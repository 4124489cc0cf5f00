// Compares the counts of parameters and operations with the model itself.

#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include "graticule/core/model_shape.h"

#include <gtest/gtest.h>

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
      if (more) {
        shape.kv_heads = 2, shape.head_layers = 2, shape.mlp_ratio = 2.5, shape.calendar = true;
        shape.dim = 48, shape.place = PlaceForm::aimed, shape.qk_norm = QkNorm::cosine;
        shape.qk_variables = true, shape.add_merged = true;
      }
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

TEST(Shape, RefusesSizesThatMakeNoModel) {
  ModelShape shape;
  EXPECT_NO_THROW(validate(shape));
  for (const auto& [dim, heads] : {std::pair<int64_t, int64_t>{64, 5}, {66, 2}, {1024, 2}, {0, 1}}) {
    shape.dim = dim, shape.heads = heads;
    EXPECT_THROW(validate(shape), std::invalid_argument) << dim << " over " << heads;
  }
  shape.dim = 20, shape.heads = 4;
  for (const PlaceForm place : {PlaceForm::added, PlaceForm::rotary}) {
    shape.place = place;
    EXPECT_NO_THROW(validate(shape)) << name_of(place);
  }
  shape.place = PlaceForm::aimed;  // heads of width 5
  EXPECT_THROW(validate(shape), std::invalid_argument);
  shape.dim = 24;
  EXPECT_NO_THROW(validate(shape));
  shape.qk_norm = QkNorm::layer;
  EXPECT_THROW(validate(shape), std::invalid_argument);
}

// The positions of all tokens: what a tokenizer without weights makes of them.
at::Tensor positions_of(const ModelShape& shape) {
  const Block block = tokenizer(shape, {0, shape.grid.tokens()});
  const Weights none = as_weights(block.parameters, at::zeros({flat_numel(block.parameters)}));
  Inputs inputs;
  inputs.lead_hours_B = at::ones({1});
  return block.run(none, at::ones({1, shape.grid.tokens(), 1, 1}), inputs)[0];
}

TEST(Position, HasNoSeamAtTheDateLine) {
  ModelShape shape;
  shape.grid = {TokenMode::full, 2, 8, 64, 1}, shape.dim = 32;
  const TokenGrid& grid = shape.grid;
  const at::Tensor embedding_TC = positions_of(shape);
  const auto distance = [&](int64_t a, int64_t b) {
    return (embedding_TC[a] - embedding_TC[b]).norm().item<double>();
  };
  EXPECT_NEAR(distance(0, 63), distance(0, 1), 1e-4);
  EXPECT_NEAR(distance(0, 62), distance(0, 2), 1e-4);
  EXPECT_TRUE(at::equal(embedding_TC.narrow(0, 0, grid.places()),
                        embedding_TC.narrow(0, grid.places(), grid.places())));
}

TEST(Position, TellsThePatchesOfAVolumeApart) {
  ModelShape shape;
  shape.dim = 32;
  shape.grid = {TokenMode::channels, 1, 6, 5, 1, 1, GridKind::volume, 7};
  shape.grid.periodic_axes[static_cast<size_t>(GridAxis::layers)] = true;
  const TokenGrid& grid = shape.grid;
  const at::Tensor embedding_TC = positions_of(shape);
  const auto distance = [&](int64_t layer, int64_t row, int64_t column) {
    const int64_t token = (layer * grid.patch_rows() + row) * grid.patch_columns() + column;
    return (embedding_TC[0] - embedding_TC[token]).norm().item<double>();
  };
  for (int64_t token = 1; token < grid.tokens(); ++token)
    EXPECT_GT((embedding_TC[0] - embedding_TC[token]).norm().item<double>(), 0.1) << token;
  EXPECT_NEAR(distance(6, 0, 0), distance(1, 0, 0), 1e-4);
  // Without a period the last patch is not like a neighbour.
  EXPECT_GT(std::abs(distance(0, 5, 0) - distance(0, 1, 0)), 1e-3);
  EXPECT_GT(std::abs(distance(0, 0, 4) - distance(0, 0, 1)), 1e-3);
}

}  // namespace
}  // namespace graticule
