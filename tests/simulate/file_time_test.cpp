// Tests the time that a job spends on the file system, by hand.

#include "graticule/simulate/file_time.h"

#include <gtest/gtest.h>

namespace graticule {
namespace {

TEST(FileTime, AJobHasTheShareOfItsNodes) {
  Cluster cluster;
  cluster.nodes = 10, cluster.devices_per_node = 4, cluster.file_system = {1000, 100};
  Options options;
  options.data.batch = 3, options.train.rollout = 2;
  ModelShape shape;
  shape.grid = {.mode = TokenMode::channels, .variables = 5, .rows = 4, .columns = 8, .patch = 2};
  // 5 ranks are on 2 of 10 nodes. A sample has one state and two targets.
  const FileTime time = file_time(options, shape, cluster, 5);
  EXPECT_DOUBLE_EQ(time.read_bytes, 3 * 5 * 4 * 8 * (1 + 2) * 4);
  EXPECT_DOUBLE_EQ(time.read, time.read_bytes / 200);
  EXPECT_DOUBLE_EQ(time.checkpoint_bytes, static_cast<double>(12 * parameters(shape)));
  EXPECT_DOUBLE_EQ(time.checkpoint, time.checkpoint_bytes / 20);
  options.train.ema = 0.9, options.train.moments = Precision::bf16;
  EXPECT_DOUBLE_EQ(file_time(options, shape, cluster, 5).checkpoint_bytes, time.checkpoint_bytes);
}

TEST(FileTime, RefusesAClusterThatDoesNotSay) {
  Cluster cluster;
  cluster.nodes = cluster.devices_per_node = 1;
  EXPECT_THROW(file_time({}, {}, cluster, 1), std::invalid_argument);
}

}  // namespace
}  // namespace graticule
