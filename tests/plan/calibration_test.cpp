// Tests calibration: from the times that the time model gives for a cluster it finds the numbers of this
// cluster.

#include "graticule/plan/calibration.h"

#include <gtest/gtest.h>

#include "graticule/plan/time.h"
#include "graticule/train/build.h"

namespace graticule {
namespace {

Cluster machine() {
  Cluster cluster;
  cluster.name = "somewhere", cluster.nodes = 2, cluster.devices_per_node = 2,
  cluster.interfaces_per_node = 1;
  cluster.memory = 8.0 * (1LL << 30), cluster.memory_bandwidth = 30e9, cluster.pointwise = 4e9;
  cluster.block = 2e-4, cluster.overlap = 0.25, cluster.sharing = 2;
  cluster.fp32 = {0.07e12, 0.07e12, 0.06e12, {{64, 0.05e12}, {256, 0.07e12}}, {{16, 0.05e12}, {64, 0.06e12}}};
  cluster.bf16 = {0.2e12, 0.2e12, 0.1e12, {{64, 0.1e12}, {256, 0.2e12}}, {{16, 0.08e12}, {64, 0.1e12}}};
  cluster.within_node = {3e9, 2e-5, {{1e5, 1e9}, {1e7, 3e9}}};
  cluster.interface = {1e9, 5e-5, {{1e5, 0.5e9}, {1e7, 1e9}}};
  return cluster;
}

std::vector<MeasuredStep> steps_on(const Cluster& cluster) {
  std::vector<MeasuredStep> steps;
  for (const Precision precision : {Precision::fp32, Precision::bf16}) {
    for (const auto& [tokens, dim] : {std::pair<int64_t, int64_t>{128, 64}, {2048, 64}, {1000, 256}}) {
      MeasuredStep& step = steps.emplace_back();
      step.options.model.patch = 1, step.options.model.dim = dim;
      step.options.train.precision = precision;
      step.shape = shape_of(step.options.model, {.columns = tokens});
      const StepTime time = time_of_step(cluster, step.options, step.shape, Axes{});
      step.linear = time.linear, step.attention = time.attention, step.optimizer = time.optimizer;
      step.rest = time.pointwise;
    }
  }
  return steps;
}

void expect_equal(const std::vector<RatePoint>& a, const std::vector<RatePoint>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_DOUBLE_EQ(a[i].size, b[i].size);
    EXPECT_NEAR(a[i].rate, b[i].rate, 1e-3 * b[i].rate);
  }
}

void expect_equal(const Cluster& a, const Cluster& b) {
  EXPECT_NEAR(a.memory_bandwidth, b.memory_bandwidth, 1e-3 * b.memory_bandwidth);
  EXPECT_NEAR(a.pointwise, b.pointwise, 1e-3 * b.pointwise);
  EXPECT_NEAR(a.block, b.block, 1e-3 * b.block);
  for (const auto& [one, other] : {std::pair{a.fp32, b.fp32}, std::pair{a.bf16, b.bf16}}) {
    EXPECT_NEAR(one.linear, other.linear, 1e-3 * other.linear);
    EXPECT_NEAR(one.attention, other.attention, 1e-3 * other.attention);
    expect_equal(one.linear_by_width, other.linear_by_width);
    expect_equal(one.attention_by_width, other.attention_by_width);
  }
}

TEST(Calibration, FindsTheMachineFromItsTimes) {
  const Cluster known = machine();
  Cluster found;
  fit_device(found, steps_on(known));
  expect_equal(found, known);
}

TEST(Calibration, FindsALinkFromItsMessages) {
  const Link known = machine().interface;
  std::vector<MeasuredMessage> messages = {{4, known.latency}};
  for (const RatePoint& point : known.by_message) {
    messages.push_back({point.size, known.latency + point.size / point.rate});
  }
  const Link found = fit_link(messages);
  EXPECT_DOUBLE_EQ(found.latency, known.latency);
  EXPECT_NEAR(found.bandwidth, known.bandwidth, 1);
  expect_equal(found.by_message, known.by_message);
}

TEST(Calibration, WritesWhatAClusterIsReadFrom) {
  Cluster known = machine();
  const Cluster read = parse_cluster(to_toml(known, "by hand"), "here.toml");
  expect_equal(read, known);
  EXPECT_EQ(read.overlap, known.overlap);
  EXPECT_EQ(read.sharing, known.sharing);
  EXPECT_EQ(read.devices_per_node, known.devices_per_node);
  expect_equal(read.within_node.by_message, known.within_node.by_message);
  expect_equal(read.interface.by_message, known.interface.by_message);
  known.nodes = known.devices_per_node = 1;
  expect_equal(parse_cluster(to_toml(known, "by hand"), "here.toml"), known);
}

TEST(Calibration, RatesLieBetweenTheirNeighbours) {
  const std::vector<RatePoint> points = {{10, 1}, {1000, 3}};
  EXPECT_DOUBLE_EQ(rate_at(points, 1, 7), 1);
  EXPECT_DOUBLE_EQ(rate_at(points, 100, 7), 2);
  EXPECT_DOUBLE_EQ(rate_at(points, 1e6, 7), 3);
  EXPECT_DOUBLE_EQ(rate_at({}, 10, 7), 7);
}

}  // namespace
}  // namespace graticule
