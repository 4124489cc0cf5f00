// Tests the groups of a mesh, and the refusal of degrees that do not fit.
#include "graticule/comm/mesh.h"

#include <gtest/gtest.h>

#include "graticule/comm/dry/dry.h"

namespace graticule {
namespace {

std::string refusal(int size, const Axes& axes) {
  try {
    make_mesh(dry_world(0, size), axes);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Mesh, RefusesAProductThatIsNotTheWorldAndNamesWhatFits) {
  EXPECT_EQ(refusal(8, {.data = 2, .ulysses = 4}), "accepted");
  EXPECT_EQ(refusal(8, {.data = 2, .ulysses = 3, .tensor = 2}),
            "[mesh] data 2 x ulysses 3 x tensor 2 makes 12 ranks, the world has 8: "
            "set ulysses 2, "
            "or start 12 ranks");
  EXPECT_EQ(refusal(8, {.data = 3, .ulysses = 3}),
            "[mesh] data 3 x ulysses 3 makes 9 ranks, the world has 8: "
            "choose degrees "
            "that divide 8 (1, 2, 4, 8), or start 9 ranks");
  EXPECT_EQ(refusal(8, {.data = 0}), "[mesh] degree 0 of axis data: choose 1 or more");
}

/// In a group of several axes the ranks have the order of the world: data before context before ulysses.
TEST(Mesh, RanksOfJoinedAxes) {
  const Axes axes{.pipeline = 2, .data = 2, .context = 2, .ulysses = 3, .tensor = 2};
  for (int rank = 0; rank < axes.world(); ++rank) {
    const Mesh mesh = make_mesh(dry_world(rank, axes.world()), axes);
    const int sequence = mesh.coordinate(Axis::context) * 3 + mesh.coordinate(Axis::ulysses);
    EXPECT_EQ(mesh.sequence.rank(), sequence);
    EXPECT_EQ(mesh.sequence.size(), 6);
    EXPECT_EQ(mesh.cut.shard.rank(), mesh.coordinate(Axis::data) * 6 + sequence);
    EXPECT_EQ(mesh.cut.shard.size(), 12);
    EXPECT_EQ(mesh.holders.rank(), sequence * 2 + mesh.coordinate(Axis::tensor));
    EXPECT_EQ(mesh.stage.rank(), mesh.coordinate(Axis::data) * 12 + mesh.holders.rank());
    EXPECT_EQ(mesh.whole.shard.size(), 24);
    EXPECT_EQ(mesh.tensor.rank(), mesh.coordinate(Axis::tensor));
  }
}

/// Columns and rows of a grid of context ranks, with other axes on both sides; a line has none.
TEST(Mesh, RowsAndColumnsOfContextRanks) {
  const Axes axes{.data = 2, .context = 6, .ulysses = 2};
  for (int rank = 0; rank < axes.world(); ++rank) {
    const Mesh mesh = make_mesh(dry_world(rank, axes.world()), axes, 0, {.queries = 2, .keys = 3});
    const int context = mesh.coordinate(Axis::context);
    EXPECT_EQ(mesh.context_queries.size(), 2);
    EXPECT_EQ(mesh.context_keys.size(), 3);
    EXPECT_EQ(mesh.context_queries.rank(), context / 3);
    EXPECT_EQ(mesh.context_keys.rank(), context % 3);
    const Mesh line = make_mesh(dry_world(rank, axes.world()), axes, 0, {.queries = 6, .keys = 1});
    EXPECT_EQ(line.context_queries.size() * line.context_keys.size(), 1);
  }
}

/// Two levels: neighbours form a shard group; ranks at the same place in each shard group are copies.
TEST(Mesh, ShardGroupsAndTheirCopies) {
  const Axes axes{.pipeline = 2, .data = 3, .context = 2, .tensor = 2};
  for (int rank = 0; rank < axes.world(); ++rank) {
    const Mesh mesh = make_mesh(dry_world(rank, axes.world()), axes, 2);
    const int replica = mesh.coordinate(Axis::data) * 2 + mesh.coordinate(Axis::context);
    EXPECT_EQ(mesh.cut.shard.size(), 2);
    EXPECT_EQ(mesh.cut.copies.size(), 3);
    EXPECT_EQ(mesh.cut.shard.rank(), replica % 2);
    EXPECT_EQ(mesh.cut.copies.rank(), replica / 2);
    EXPECT_EQ(mesh.whole.shard.size(), 4);
    EXPECT_EQ(mesh.whole.copies.rank(), replica / 2);
  }
  EXPECT_THROW(make_mesh(dry_world(0, 12), {.data = 3, .context = 2, .tensor = 2}, 4), std::invalid_argument);
}

}  // namespace
}  // namespace graticule
