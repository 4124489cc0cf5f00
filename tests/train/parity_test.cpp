// Tests that `graticule check` runs the layout as training does, with several tiles of tokens.

#include "graticule/train/parity.h"

#include <gtest/gtest.h>

#include "graticule/core/error.h"
#include "graticule/parallel/tiles.h"
#include "tests/ranks.h"

namespace graticule {
namespace {

// The ranks of the tensor axis exchange once for each tile, so their exchanges count the tiles.
TEST(Parity, RunsSeveralTilesAndFindsThemEqualToOneRanks) {
  const Options recipe = parse_recipe("[data]\npath = \"none\"\n[parallel]\ntensor = 2\n", "test");
  const auto [options, shape] = small_case(recipe, 2);
  const size_t tiles =
      tiles_of({}, span_of(shape.grid.tokens(), 2, 0).size(), options.train.tile_tokens).size();
  EXPECT_GT(tiles, 1U);
  run_ranks(2, [&, depth = shape.depth](World world) {
    std::vector<Group> tensor;
    world.split = [&tensor, split = world.split](const std::vector<int>& members, const std::string& label) {
      const Group group = split(members, label);
      if (label == "tensor") tensor.push_back(group);
      return group;
    };
    const Parity parity = compare_with_one_rank(recipe, world);
    EXPECT_TRUE(parity.equal);
    ASSERT_EQ(tensor.size(), 1U);
    // A block has four linear layers. A forecast runs them tile by tile; training keeps all here, runs its
    // forward (4) and backward (6) on all tokens at once.
    const auto expected = static_cast<int64_t>(4 * tiles + 10) * depth;
    EXPECT_EQ(tensor[0].traffic().operations, expected);
  });
}

// One rank compared with itself differs only by the rounding of sums over tiles.
TEST(Parity, TakesTheTilesOfOneRankToo) {
  for (const char* policy : {"recompute", "recompute_but_attention"}) {
    const Options recipe =
        parse_recipe(text("[data]\npath = \"none\"\n[train]\nactivations = \"", policy, "\"\n"), "test");
    const Parity parity = compare_with_one_rank(recipe, lone_world());
    EXPECT_TRUE(parity.equal);
    double largest = 0;
    for (const ParityLine& line : parity.lines) largest = std::max(largest, line.fp32);
    EXPECT_GT(largest, 0) << "both ran the same tiles";
  }
}

}  // namespace
}  // namespace graticule
