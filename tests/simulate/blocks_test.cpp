// Compares worlds of which one block is played with the same worlds played whole.

#include "graticule/simulate/blocks.h"

#include <gtest/gtest.h>

#include "graticule/simulate/simulator.h"
#include "tests/footprint/layout_draws.h"
#include "tests/seed.h"

namespace graticule {
namespace {

// 1 to 4 devices a node, one interface, any topology; at most 3 nodes a switch. Slow links, so that exchanges count.
Cluster random_cluster(std::mt19937_64& random) {
  Cluster cluster;
  cluster.name = "small", cluster.nodes = 1024, cluster.devices_per_node = draws::between(random, 1, 4);
  cluster.memory_bandwidth = cluster.pointwise = 1e12;
  cluster.bf16 = cluster.fp32 = {1e12, 1e12, 1e12};
  cluster.within_node = {1e9, 1e-6}, cluster.interface = {1e8, 1e-5};
  cluster.interfaces_per_node = 1;
  const int64_t nodes = draws::between(random, 1, 3);
  cluster.topology = draws::pick(
      random, std::vector<Topology>{Flat{}, FatTree{nodes, 0.25}, Dragonfly{9, nodes, 1, 1e8, 1e7, 1}});
  return cluster;
}

// A layout whose replicas have equal samples, with more of them than draw_layout gives.
Draw replicated_draw(std::mt19937_64& random) {
  for (;;) {
    Draw draw = draw_layout(random, {Activations::keep, Activations::recompute}, 12);
    Options& o = draw.options;
    draw.axes.data = static_cast<int>(draws::one_of(random, {1, 2, 4, 6, 8}));
    o.parallel.data = draw.axes.data, o.data.batch = draw.axes.data * o.parallel.micro_batches;
    const int replicas = draw.axes.data * draw.axes.sequence();
    o.parallel.shard_ranks = replicas % 4 == 0 && random() % 2 == 0 ? replicas / 4 : 0;
    if (random() % 2 == 0) {  // sizes that divide
      o.model.dim = 64, o.model.heads = 8, o.model.kv_heads = 0, o.model.mlp_ratio = 4, o.model.depth = 4;
      draw.shape = draws::with_steps(
                       {o, shape_of(o.model, {.variables = 6, .rows = 8, .columns = 16}), draw.axes}, random)
                       .shape;
      o.data.history = draw.shape.grid.states;
    }
    if (draw.axes.world() <= 48 && !trouble_with(draw.axes, o, draw.shape)) return draw;
  }
}

void expect_equal(const Simulation& blocks, const Simulation& whole, double exact) {
  EXPECT_NEAR(blocks.seconds, whole.seconds, exact * whole.seconds);
  for (size_t rank = 0; rank < whole.ranks.size(); ++rank) {
    EXPECT_NEAR(blocks.ranks[rank].end, whole.ranks[rank].end, exact * whole.seconds) << rank;
    EXPECT_NEAR(blocks.ranks[rank].busy(), whole.ranks[rank].busy(), exact * whole.seconds) << rank;
  }
}

TEST(Blocks, OneBlockTakesTheTimeOfAll) {
  const auto seed = test_seed();
  std::mt19937_64 random(seed);
  int smaller = 0, exact = 0;
  for (int i = 0; i < 50; ++i) {
    const Draw draw = replicated_draw(random);
    const Cluster cluster = random_cluster(random);
    const WorldTraces traces = traces_of_world(draw.options, draw.shape, draw.axes.world(),
                                               static_cast<int>(cluster.devices_per_node));
    const Blocks blocks = blocks_of(traces, cluster);
    if (blocks.block == blocks.stage) continue;
    ++smaller;
    SCOPED_TRACE(text("seed ", seed, ", draw ", i, ", ", blocks.block, " of ", blocks.stage,
                      " ranks of a stage, ", cluster.devices_per_node, " a node\n", described(draw)));
    const SimulationOptions options{.overlap = static_cast<double>(random() % 2),
                                    .drawn = {draw.axes.world() - 1}};
    SimulationOptions all = options;
    all.repeat = false;
    const Simulation one = simulate_step(traces, cluster, draw.options.train.precision, options);
    const Simulation whole = simulate_step(traces, cluster, draw.options.train.precision, all);
    // With several stages the ring of all ranks runs from stage to stage, but in blocks within each.
    const bool is_exact = draw.axes.pipeline == 1 && blocks_of(traces, cluster, 0).block == blocks.block;
    exact += is_exact;
    expect_equal(one, whole, is_exact ? 1e-9 : 5e-3);
    EXPECT_LT(one.flows, whole.flows);
    EXPECT_EQ(one.drawn.at(draw.axes.world() - 1).size(), whole.drawn.at(draw.axes.world() - 1).size());
  }
  EXPECT_GE(smaller - exact, 5);
  EXPECT_GE(exact, 5);
}

// What must not be played once: samples that replicas do not share evenly, tokens that context ranks do not, devices
// that differ.
TEST(Blocks, UnequalReplicasAreAllPlayed) {
  std::mt19937_64 random(1);
  Draw draw = draw_layout(random, {Activations::keep}, 4);
  Cluster cluster = random_cluster(random);
  cluster.devices_per_node = 1, cluster.topology = Flat{};
  const auto block = [&](Axes axes, int64_t samples) {
    draw.options.parallel = {}, fill_in(draw.options.parallel, axes);
    draw.options.data.batch = samples;
    return blocks_of(traces_of_world(draw.options, draw.shape, axes.world(), 1), cluster).block;
  };
  EXPECT_EQ(block({.data = 4}, 8), 1);
  EXPECT_EQ(block({.data = 4}, 7), 4);
  EXPECT_EQ(block({.data = 4}, 6), 4);
  EXPECT_EQ(block({.data = 2, .context = 3}, 4), 3);
  EXPECT_EQ(block({.context = 7}, 4), 7);
}

}  // namespace
}  // namespace graticule
