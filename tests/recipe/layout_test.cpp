// Tests the layouts of a recipe: derived degrees, and refusals that name layouts that work.

#include "graticule/recipe/layout.h"

#include <gtest/gtest.h>

namespace graticule {
namespace {

const std::string minimal = "[data]\npath = \"synthetic\"\n";

ModelShape shape_with(int64_t heads, int64_t kv_heads = 0) {
  ModelShape shape;
  shape.grid = {TokenMode::full, 4, 16, 16, 2};
  shape.dim = 64, shape.depth = 5, shape.heads = heads, shape.kv_heads = kv_heads;
  return shape;
}

TEST(Axes, AreDerivedWhereTheRecipeLeavesThemOut) {
  Options options = parse_recipe(minimal, "r");
  EXPECT_EQ(resolve_axes(options, 6, shape_with(4)), (Axes{1, 1, 2, 3, 1}));
  EXPECT_EQ(resolve_axes(options, 1, shape_with(4)), (Axes{}));
  options.parallel.data = 2, options.data.batch = 2;
  EXPECT_EQ(resolve_axes(options, 4, shape_with(4)), (Axes{1, 2, 1, 2, 1}));
  options.parallel.tensor = 2, options.parallel.pipeline = 2;
  EXPECT_EQ(resolve_axes(options, 16, shape_with(4)), (Axes{2, 2, 1, 2, 2}));
}

TEST(Axes, RefuseLayoutsThatCannotWorkAndNameTheNearestThatCan) {
  const auto message = [](const std::string& more, int ranks, const ModelShape& shape) -> std::string {
    try {
      resolve_axes(parse_recipe(minimal + more, "r"), ranks, shape);
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "accepted";
  };
  const std::pair<std::string, std::string> cases[] = {
      {message("[parallel]\nulysses = 3", 4, shape_with(4)),
       "[parallel] ulysses 3 makes 3 ranks, but 4 were started: start 3, or leave one of the degrees out to "
       "have it "
       "derived. Nearest that work on 4 ranks: ulysses 4"},
      {message("[parallel]\nulysses = 8", 8, shape_with(4)),
       "choose at most 4 and let context take the rest. Nearest that work on 8 ranks: context 2 x ulysses 4"},
      {message("[parallel]\ntensor = 8", 8, shape_with(8, 2)),
       "choose at most 2. Nearest that work on 8 ranks: "},
      {message("[parallel]\npipeline = 6", 6, shape_with(6)),
       "over 5 transformer blocks leaves stages without one: choose at most 5"},
      {message("[parallel]\ndata = 2", 2, shape_with(4)), "choose a batch of at least 2"},
      {message("[parallel]\nmicro_batches = 2", 1, shape_with(4)),
       "choose at most 1. No layout of 1 ranks works"},
      {message("[parallel]\nshard_ranks = 3\nulysses = 4", 4, shape_with(4)), "choose a divisor of 4"},
      {message("[parallel]\nulysses = 3\ntensor = 2", 6, shape_with(5)),
       "ulysses = 3 over 2 heads (of 5, cut by tensor = 2)"},
  };
  for (const auto& [got, words] : cases) EXPECT_NE(got.find(words), std::string::npos) << got;
}

}  // namespace
}  // namespace graticule
