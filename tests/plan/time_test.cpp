// Tests the time model: exchanges computed by hand on small clusters, and how a step's time depends on its
// parts.

#include "graticule/plan/time.h"

#include <gtest/gtest.h>

#include "graticule/parallel/timeline.h"
#include "tests/footprint/layout_draws.h"
#include "tests/seed.h"

namespace graticule {
namespace {

Exchange exchange_of(Pattern pattern, int64_t ranks, int64_t stride) {
  return {GroupOf::data, pattern, ranks, stride, 1'000'000'000, 10};
}

TEST(Time, OfExchangesByHand) {
  const Cluster frontier = cluster_named("frontier");  // 50 GB/s within, 12.5 GB/s a device across
  const double within = 10 * 3.6e-6, across = 10 * 15.1e-6;
  EXPECT_NEAR(seconds_of(exchange_of(Pattern::ring, 8, 1), frontier), 1 / 50.0 + within, 1e-12);
  EXPECT_NEAR(seconds_of(exchange_of(Pattern::ring, 2, 4), frontier), 1 / 50.0 + within, 1e-12);
  // 8 ranks a node share 4 interfaces: 100 GB/s, so the links within are the slower ones.
  EXPECT_NEAR(seconds_of(exchange_of(Pattern::ring, 16, 1), frontier), 1 / 50.0 + across, 1e-12);
  EXPECT_NEAR(seconds_of(exchange_of(Pattern::ring, 4, 4), frontier), 1 / 25.0 + across, 1e-12);
  EXPECT_NEAR(seconds_of(exchange_of(Pattern::ring, 2, 8), frontier), 1 / 12.5 + across, 1e-12);
  EXPECT_NEAR(seconds_of(exchange_of(Pattern::pairwise, 16, 1), frontier), 8 / 15.0 / 12.5 + across, 1e-12);
  // Beyond a group of 128 nodes: 4 x 76 links of 25 GB/s for 128 nodes of 100 GB/s.
  EXPECT_NEAR(seconds_of(exchange_of(Pattern::neighbour, 2, 1024), frontier),
              1 / (12.5 * 4 * 76 * 25 / (128 * 100.0)) + across, 1e-12);
}

TEST(Time, OneRankComputesAndUpdates) {
  std::mt19937_64 random(1);
  Draw draw = draw_layout(random, {Activations::keep}, 8);
  draw.axes = {}, draw.options.parallel = {};
  const StepTime time = time_of_step(cluster_named("dgx_h100"), draw.options, draw.shape, draw.axes);
  EXPECT_TRUE(time.exchange.empty());
  EXPECT_EQ(time.exposed + time.bubble, 0);
  EXPECT_GT(time.optimizer, 0);
  EXPECT_DOUBLE_EQ(time.total(), time.compute() + time.optimizer);
}

TEST(Time, FasterMachinesAreNeverSlower) {
  const auto seed = test_seed();
  std::mt19937_64 random(seed);
  const Cluster base = cluster_named("perlmutter");
  for (int i = 0; i < 100; ++i) {
    const Draw draw = draw_layout(random, {Activations::keep, Activations::recompute}, 100);
    SCOPED_TRACE(text("seed ", seed, ", draw ", i, "\n", described(draw)));
    const auto total = [&](const Cluster& cluster) {
      return time_of_step(cluster, draw.options, draw.shape, draw.axes).total();
    };
    const double before = total(base);
    Cluster links = base, devices = base, both = base;
    for (Cluster* faster : {&links, &both}) {
      for (Link* link : {&faster->within_node, &faster->interface}) link->bandwidth *= 2, link->latency /= 2;
      std::get<Dragonfly>(faster->topology).global_link *= 2;
    }
    for (Cluster* faster : {&devices, &both}) {
      for (Rates* rates : {&faster->bf16, &faster->fp32}) rates->linear *= 2, rates->attention *= 2;
      faster->memory_bandwidth *= 2, faster->pointwise *= 2;
    }
    EXPECT_GT(before, 0);
    EXPECT_LE(total(links), before);
    EXPECT_LE(total(devices), before * (1 + 1e-12));
    EXPECT_NEAR(total(both), before / 2, 1e-9 * before);
  }
}

TEST(Time, OffloadingHidesUnderWork) {
  std::mt19937_64 random(1);
  Draw draw = draw_layout(random, {Activations::offload}, 8);
  draw.axes = {}, draw.options.parallel = {};
  Cluster cluster = cluster_named("dgx_h100");
  cluster.host = 0;
  const double free_of_it = time_of_step(cluster, draw.options, draw.shape, draw.axes).total();
  cluster.host = 1e15;
  EXPECT_NEAR(time_of_step(cluster, draw.options, draw.shape, draw.axes).total(), free_of_it, 1e-12);
  cluster.host = 1;  // by the byte: all that work does not hide
  const StepTime slow = time_of_step(cluster, draw.options, draw.shape, draw.axes);
  const ModelShape& s = draw.shape;
  const int64_t t = s.grid.tokens(), e = draw.options.train.precision == Precision::bf16 ? 2 : 4;
  const int64_t bytes = 2 * draw.options.train.rollout * draw.options.data.batch * t *
                        (s.dim * e + s.depth * (2 * s.dim * e + 4 * s.heads));
  EXPECT_DOUBLE_EQ(slow.offload, static_cast<double>(bytes));
  EXPECT_NEAR(slow.total(), free_of_it + static_cast<double>(bytes) - slow.compute(), 1e-6);
}

// Many ranks exchange little beside what they compute here, so the bubble is that of equal stages.
TEST(Time, BubbleIsTheSchedules) {
  std::mt19937_64 random(1);
  for (const ScheduleKind kind :
       {ScheduleKind::gpipe, ScheduleKind::one_f_one_b, ScheduleKind::interleaved}) {
    Draw draw = draw_layout(random, {Activations::keep}, 8);
    draw.axes = {.pipeline = 2};
    ParallelOptions& p = draw.options.parallel;
    p = {}, fill_in(p, draw.axes);
    p.schedule = kind, p.chunks = kind == ScheduleKind::interleaved ? 2 : 1, p.micro_batches = 4;
    draw.options.train.rollout = 1;  // what runs ahead is outside the schedule
    Cluster cluster = cluster_named("dgx_h100");
    cluster.within_node = {1e18, 0};
    const StepTime time = time_of_step(cluster, draw.options, draw.shape, draw.axes);
    const Timeline timeline = simulate(kind, 2, static_cast<int>(p.chunks), 4);
    EXPECT_NEAR(time.bubble / (time.bubble + time.compute() + time.exposed), bubble_share(timeline), 1e-6)
        << name_of(kind);
  }
}

TEST(Time, AnIdleRankLeavesItsTurnToOthers) {
  std::mt19937_64 random(1);
  Draw draw = draw_layout(random, {Activations::keep}, 8);
  draw.axes = {.pipeline = 2};
  ParallelOptions& p = draw.options.parallel;
  p = {}, fill_in(p, draw.axes);
  Cluster cluster = cluster_named("dgx_h100");
  for (Link* link : {&cluster.within_node, &cluster.interface}) link->bandwidth = 1e18, link->latency = 0;
  const auto time = [&](int64_t micro_batches, double sharing) {
    p.micro_batches = micro_batches, cluster.sharing = sharing;
    return time_of_step(cluster, draw.options, draw.shape, draw.axes);
  };
  // One micro-batch: one of two stages works at a time, so two that share a core lose nothing.
  EXPECT_NEAR(time(1, 1).bubble, time(1, 1).compute(), 1e-3 * time(1, 1).compute());
  EXPECT_NEAR(time(1, 2).bubble, 0, 1e-3 * time(1, 1).compute());
  EXPECT_NEAR(time(4, 2).bubble, 0, 1e-3 * time(4, 2).compute());
  EXPECT_GT(time(1, 1.5).bubble, 0);
}

TEST(Time, RefusesMoreRanksThanDevices) {
  std::mt19937_64 random(1);
  Draw draw = draw_layout(random, {Activations::keep}, 8);
  draw.axes = {.data = 2000};
  EXPECT_THROW(time_of_step(cluster_named("dgx_h100"), draw.options, draw.shape, draw.axes),
               std::invalid_argument);
}

}  // namespace
}  // namespace graticule
