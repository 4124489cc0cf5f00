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
