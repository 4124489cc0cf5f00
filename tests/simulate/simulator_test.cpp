// Tests simulations that can be computed by hand: one exchange, shared interfaces, rings, pipelines, slow
// nodes.

#include "graticule/simulate/simulator.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "graticule/dry/dry_run.h"
#include "graticule/parallel/timeline.h"
#include "tests/footprint/layout_draws.h"

namespace graticule {
namespace {

using Kind = DryExchange::Kind;
constexpr double GB = 1e9;

/// 4 nodes of 4 devices, 10 GB/s inside, one interface of 1 GB/s; a device computes 1 TFLOP/s.
Cluster small_cluster() {
  Cluster cluster;
  cluster.name = "small", cluster.nodes = 4, cluster.devices_per_node = 4;
  cluster.memory_bandwidth = cluster.pointwise = 1e12;
  cluster.bf16 = cluster.fp32 = {1e12, 1e12, 1e12};
  cluster.within_node = {10 * GB, 1e-3}, cluster.interface = {GB, 1e-2};
  cluster.interfaces_per_node = 1;
  cluster.topology = Flat{};
  return cluster;
}

// Every rank of a group computes for a second, exchanges, waits.
WorldTraces one_exchange(const std::vector<std::vector<int>>& groups, const DryExchange& exchange) {
  WorldTraces traces;
  const int ranks = std::accumulate(groups.begin(), groups.end(), 0, [](int sum, const auto& members) {
    return sum + static_cast<int>(members.size());
  });
  traces.ranks.resize(static_cast<size_t>(ranks));
  for (const auto& members : groups) {
    for (const int member : members) {
      RankRole& role = traces.ranks[static_cast<size_t>(member)];
      role.trace = traces.traces.size(),
      role.groups["some"] = {traces.groups.size(), place_in(members, member)};
      const int size = static_cast<int>(members.size());
      traces.traces.push_back({{{"some", size, place_in(members, member)}},
                               {TracedKernel{{Kernel::Kind::linear, 1e12, 0, 100}, false},
                                TracedStart{0, exchange}, TracedWait{0}}});
    }
    traces.groups.push_back({"some", members});
  }
  return traces;
}

double seconds_of(const WorldTraces& traces, SimulationOptions options = {},
                  const Cluster& cluster = small_cluster()) {
  return simulate_step(traces, cluster, Precision::bf16, options).seconds;
}

constexpr int64_t gigabyte = 1'000'000'000;
constexpr double tolerance = 1e-5;  // SimGrid's

TEST(Simulator, TimesOneExchangeByHand) {
  const DryExchange gather{Kind::all_gather, {gigabyte, gigabyte}};
  EXPECT_NEAR(seconds_of(one_exchange({{0, 1}}, gather)), 1 + 0.1 + 1e-3, tolerance);
  EXPECT_NEAR(seconds_of(one_exchange({{0, 4}, {1}, {2}, {3}}, gather)), 1 + 1 + 1e-2, tolerance);
}

TEST(Simulator, GroupsThatShareAnInterfaceShareItsBandwidth) {
  const DryExchange gather{Kind::all_gather, {gigabyte, gigabyte}};
  EXPECT_NEAR(seconds_of(one_exchange({{0, 4}, {1, 5}, {2}, {3}}, gather)), 1 + 2 + 1e-2, tolerance);
}

TEST(Simulator, ARingOverTwoNodesGoesAtTheInterfacesPace) {
  const DryExchange gather{Kind::all_gather, std::vector<int64_t>(8, gigabyte)};
  EXPECT_NEAR(seconds_of(one_exchange({{0, 1, 2, 3, 4, 5, 6, 7}}, gather)), 1 + 7 + 7e-2, tolerance);
}

TEST(Simulator, AnAllToAllSendsOutWhatIsForOtherNodes) {
  const DryExchange all{Kind::all_to_all, std::vector<int64_t>(8, gigabyte)};
  // 4 devices send 4 GB each through one interface.
  for (const bool fold : {true, false}) {
    EXPECT_NEAR(seconds_of(one_exchange({{0, 1, 2, 3, 4, 5, 6, 7}}, all), {.fold = fold}), 1 + 16 + 1e-2,
                1e-3);
  }
}

TEST(Simulator, TapersSlowWhatLeavesASwitch) {
  Cluster cluster = small_cluster();
  cluster.topology = FatTree{2, 0.25};
  const DryExchange gather{Kind::all_gather, {gigabyte, gigabyte}};
  std::vector<std::vector<int>> within = {{0, 4}}, beyond = {{0, 8}};
  for (int rank = 1; rank < 9; ++rank) {
    if (rank != 4) within.push_back({rank});
    if (rank != 8) beyond.push_back({rank});
  }
  EXPECT_NEAR(seconds_of(one_exchange(within, gather), {}, cluster), 1 + 1 + 1e-2, tolerance);
  EXPECT_NEAR(seconds_of(one_exchange(beyond, gather), {}, cluster), 1 + 2 + 1e-2, tolerance);
}

TEST(Simulator, ASlowNodeStretchesTheStep) {
  const DryExchange gather{Kind::all_gather, std::vector<int64_t>(8, gigabyte)};
  const WorldTraces traces = one_exchange({{0, 1, 2, 3, 4, 5, 6, 7}}, gather);
  const Simulation slow =
      simulate_step(traces, small_cluster(), Precision::bf16, {.slow_nodes = 1, .slow_factor = 3});
  EXPECT_NEAR(slow.seconds, 3 + 7 + 7e-2, tolerance);
  // The ranks of the other node wait for it.
  double longest = 0;
  for (const RankTime& time : slow.ranks) {
    longest = std::max(longest, time.idled.at("some"));
    EXPECT_NEAR(time.waited.at("some"), 7 + 7e-2, tolerance);
  }
  EXPECT_NEAR(longest, 2, tolerance);
}

TEST(Simulator, JitterIsTheSeeds) {
  const DryExchange gather{Kind::all_gather, {gigabyte, gigabyte}};
  const WorldTraces traces = one_exchange({{0, 1}}, gather);
  const double once = seconds_of(traces, {.jitter = 0.2, .seed = 7});
  EXPECT_EQ(once, seconds_of(traces, {.jitter = 0.2, .seed = 7}));
  EXPECT_NE(once, seconds_of(traces, {.jitter = 0.2, .seed = 8}));
}

// The slowest of the devices that exchange sets the pace. One draw a device: a step twice as long takes twice
// the time.
TEST(Simulator, ASpreadOfDevicesIsOneDrawADevice) {
  const DryExchange nothing{Kind::all_gather, {0, 0}};
  WorldTraces traces = one_exchange({{0, 1}}, nothing);
  const SimulationOptions options{.spread = 0.1, .seed = 3};
  const Simulation once = simulate_step(traces, small_cluster(), Precision::bf16, options);
  const double slowest = std::max(once.ranks[0].busy(), once.ranks[1].busy());
  EXPECT_NE(once.ranks[0].busy(), once.ranks[1].busy());
  EXPECT_NEAR(once.seconds, slowest, 1e-2);  // the latency of the exchange
  for (StepTrace& trace : traces.traces) trace.events.push_back(trace.events.front());
  const Simulation twice = simulate_step(traces, small_cluster(), Precision::bf16, options);
  for (const size_t rank : {0, 1})
    EXPECT_NEAR(twice.ranks[rank].busy(), 2 * once.ranks[rank].busy(), tolerance);
}

TEST(Simulator, OtherJobsTakeTheirShareAboveTheNodes) {
  Cluster cluster = small_cluster();
  cluster.topology = FatTree{1, 1};
  const DryExchange gather{Kind::all_gather, {gigabyte, gigabyte}};
  const WorldTraces traces = one_exchange({{0, 4}, {1}, {2}, {3}}, gather);
  EXPECT_NEAR(seconds_of(traces, {.other_jobs = 0.75}, cluster), 1 + 4 + 1e-2, tolerance);
  const WorldTraces inside = one_exchange({{0, 1}}, gather);
  EXPECT_NEAR(seconds_of(inside, {.other_jobs = 0.75}, cluster), 1 + 0.1 + 1e-3, tolerance);
}

Draw pipeline_draw(ScheduleKind kind) {
  std::mt19937_64 random(1);
  Draw draw = draw_layout(random, {Activations::keep}, 8);
  draw.axes = {.pipeline = 2};
  ParallelOptions& p = draw.options.parallel;
  p = {}, fill_in(p, draw.axes);
  p.schedule = kind, p.chunks = kind == ScheduleKind::interleaved ? 2 : 1, p.micro_batches = 4;
  draw.options.data.batch = 4, draw.options.model.depth = 8;
  // A tokenizer and a head that hardly take time, so that both stages take the same.
  draw.options.model.tokens = TokenMode::full, draw.options.model.head_layers = 0;
  draw.options.train.rollout = 1;  // what runs ahead is outside the schedule
  draw.shape = shape_of(draw.options.model, {.variables = 5, .rows = 7, .columns = 12});
  return draw;
}

// A cluster where only products take time. So the stages are equal, except for tokenizer and head.
TEST(Simulator, APipelinesBubbleIsTheSchedules) {
  for (const ScheduleKind kind : {ScheduleKind::gpipe, ScheduleKind::one_f_one_b}) {
    const Draw draw = pipeline_draw(kind);
    Cluster cluster = small_cluster();
    cluster.memory_bandwidth = cluster.pointwise = 1e30, cluster.within_node = {1e15, 0};
    const Simulation step =
        simulate_step(traces_of_world(draw.options, draw.shape, 2, 2), cluster, Precision::fp32, {});
    double busy = 0;
    for (const RankTime& time : step.ranks) busy += time.busy();
    const Timeline timeline = simulate(kind, 2, 1, 4, {1, 1, 1});
    EXPECT_NEAR(1 - busy / (2 * step.seconds), bubble_share(timeline), 0.03) << name_of(kind);
  }
}

// If messages move only in waits no rank waits for ever, and none is faster.
TEST(Simulator, WithoutOverlapEveryScheduleEnds) {
  for (const ScheduleKind kind : {ScheduleKind::gpipe, ScheduleKind::one_f_one_b, ScheduleKind::interleaved,
                                  ScheduleKind::zero_bubble}) {
    const Draw draw = pipeline_draw(kind);
    const WorldTraces traces = traces_of_world(draw.options, draw.shape, 2, 2);
    const auto seconds = [&](double overlap) { return seconds_of(traces, {.overlap = overlap}); };
    EXPECT_GE(seconds(0), seconds(1) * (1 - 1e-9)) << name_of(kind);
  }
}

// Half a second of work hides half an exchange if messages move during compute. Otherwise it hides nothing.
TEST(Simulator, OverlapHidesExchanges) {
  const DryExchange gather{Kind::all_gather, {gigabyte, gigabyte}};
  WorldTraces traces = one_exchange({{0, 4}, {1}, {2}, {3}}, gather);
  for (StepTrace& trace : traces.traces) {
    trace.events.insert(trace.events.begin() + 2, TracedKernel{{Kernel::Kind::linear, 5e11, 0, 100}, false});
  }
  EXPECT_NEAR(seconds_of(traces), 1 + 1 + 1e-2, tolerance);
  EXPECT_NEAR(seconds_of(traces, {.overlap = 0}), 1.5 + 1 + 1e-2, tolerance);
}

// Folding is exact if no two exchanges use a link at the same time: joined flows would share it differently.
TEST(Simulator, FoldsAreExactWhereRanksAreEqual) {
  struct Case {
    Axes axes;
    int shard_ranks;
    double exact;
  };
  for (const auto& [axes, shard_ranks, exact] :
       {Case{{.data = 2, .ulysses = 4}, 0, 1e-6}, Case{{.data = 2, .context = 2, .ulysses = 4}, 0, 1e-6},
        Case{{.context = 4, .tensor = 4}, 2, 2e-4},
        Case{{.pipeline = 2, .context = 2, .ulysses = 2, .tensor = 2}, 4, 2e-4}}) {
    for (const auto& [word, method] : choices_of<ContextMethod>) {
      std::mt19937_64 random(3);
      Draw draw = draw_layout(random, {Activations::keep}, 8);
      draw.options.model.heads = 8, draw.options.model.dim = 64, draw.options.model.mlp_ratio = 4;
      draw.options.model.depth = 4, draw.options.model.tokens = TokenMode::full;
      draw.options.data.batch = 4, draw.options.model.kv_heads = 0;
      draw.options.parallel = {}, fill_in(draw.options.parallel, axes);
      draw.options.parallel.shard = Shard::full, draw.options.parallel.context_method = method;
      draw.options.parallel.shard_ranks = shard_ranks, draw.options.parallel.micro_batches = 2;
      draw.shape = shape_of(draw.options.model, {.variables = 4, .rows = 8, .columns = 16});
      SCOPED_TRACE(text(described(axes), ", ", word));
      const int ranks = axes.world();
      const auto simulated = [&](bool fold) {
        const WorldTraces traces = traces_of_world(draw.options, draw.shape, ranks, 4, fold);
        EXPECT_TRUE(!fold || traces.traces.size() <= 2) << traces.traces.size();
        return simulate_step(traces, small_cluster(), Precision::fp32, {.fold = fold}).seconds;
      };
      const double folded = simulated(true), all = simulated(false);
      EXPECT_NEAR(folded, all, exact * all);
    }
  }
}

// 10 tokens over 4 ranks, 4 of them visible: each rank has 1 visible token for the encoder, and 3 or 2 tokens for the decoder.
TEST(Simulator, RanksWithOtherSharesOfADecoderAreAnotherClass) {
  std::mt19937_64 random(3);
  Draw draw = draw_layout(random, {Activations::keep}, 8);
  Options& options = draw.options;
  options.model = {}, options.model.tokens = TokenMode::channels, options.model.patch = 2;
  options.parallel = {}, options.parallel.context = 4;
  options.task.kind = TaskKind::reconstruct, options.task.masked = 0.6;
  options.data.history = 1, options.train.rollout = 1, options.data.batch = 1;
  draw.shape = shape_of_task(options, {.variables = 1, .rows = 10, .columns = 4});
  options.data.variables = options.data.targets = {"a"};
  const WorldTraces traces = traces_of_world(options, draw.shape, 4, 4);
  for (const size_t three : {0U, 1U}) {
    for (const size_t two : {2U, 3U}) EXPECT_NE(traces.ranks[three].trace, traces.ranks[two].trace);
  }
}

TEST(Simulator, RefusesWhatDoesNotFit) {
  const DryExchange gather{Kind::all_gather, {gigabyte, gigabyte}};
  const WorldTraces traces = one_exchange({{0, 1}}, gather);
  EXPECT_THROW(seconds_of(traces, {.jitter = 2}), std::invalid_argument);
  EXPECT_THROW(seconds_of(traces, {.spread = -1}), std::invalid_argument);
  EXPECT_THROW(seconds_of(traces, {.other_jobs = 1}), std::invalid_argument);
  EXPECT_THROW(seconds_of(traces, {.slow_nodes = 1, .slow_factor = 0.5}), std::invalid_argument);
  Cluster cluster = small_cluster();
  cluster.nodes = 1, cluster.devices_per_node = 1;
  EXPECT_THROW(seconds_of(traces, {}, cluster), std::invalid_argument);
}

}  // namespace
}  // namespace graticule
