// Tests the chain of blocks with sharding: any shard level, policy, pipeline and schedule over any number of
// ranks gives the gradients and updates of one rank.

#include <ATen/core/grad_mode.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/zeros.h>

#include "graticule/parallel/chain.h"

#include <gtest/gtest.h>

#include <mutex>

#include "tests/ranks.h"

namespace graticule {
namespace {

constexpr int64_t width = 5, depth = 6;

// A chain of small dense layers; every other one can leave its weight gradient for later.
std::vector<Block> dense_chain() {
  std::vector<Block> blocks;
  for (int64_t i = 0; i < depth; ++i) {
    blocks.push_back(
        {"dense." + std::to_string(i),
         {{"weight", {width, width}, Init::truncated_normal, 0.5}, {"bias", {width}, Init::zeros, 0, false}},
         [i](const Weights& weights, const at::Tensor& x, const Inputs& inputs) {
           if (i % 2 == 0) return at::tanh(at::matmul(x, weights["weight"]) + weights["bias"]);
           return at::tanh(linear(x, weights["weight"], weights["bias"], inputs.deferred));
         }});
  }
  return blocks;
}

struct Case {
  int pipeline = 1, replicas = 1, shard_ranks = 0;
  Shard level = Shard::none;
  Activations activations = Activations::keep;
  ScheduleKind schedule = ScheduleKind::one_f_one_b;
  int chunks = 1, micro_batches = 1;
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.pipeline << " stages of " << c.chunks << " chunks, " << name_of(c.schedule) << ", "
             << c.micro_batches << " micro-batches; " << c.replicas << " replicas, shards of "
             << c.shard_ranks << ", level " << static_cast<int>(c.level) << ", policy "
             << static_cast<int>(c.activations);
}

/// By block: gradients and weights after two steps.
struct Outcome {
  std::mutex mutex;
  std::map<std::string, at::Tensor> gradients, masters;
  std::vector<at::Tensor> predictions;
};

at::Tensor whole_of(const at::Tensor& owned, const ShardedPart& part, Shard level) {
  const Group& shard = part.replicas().shard;
  if (level == Shard::none) return owned.clone();
  return shard.all_gather(owned, span_sizes(part.numel(), shard.size())).wait();
}

void run_steps(const World& world, const Case& c, const at::Tensor& x_BC, Outcome& outcome) {
  const Mesh mesh = make_mesh(world, {.pipeline = c.pipeline, .data = c.replicas}, c.shard_ranks);
  ChainOptions options;
  options.shard.level = c.level;
  options.shard.whole = mesh.whole, options.shard.cut = mesh.cut;
  options.shard.seed = 7;
  options.activations = {c.activations};
  options.pipeline = {mesh.pipeline, mesh.pipeline_back, c.schedule, c.chunks, {width}, {width}, {width}};
  Chain chain(dense_chain(), options);
  const Span mine = span_of(x_BC.size(0), c.replicas, mesh.data.rank());
  for (int round = 0; round < 2; ++round) {
    chain.zero_gradients();
    std::vector<MicroBatch> micro_batches;
    for (int m = 0; m < c.micro_batches; ++m) {
      const Span part = span_of(mine.size(), c.micro_batches, m);
      Inputs inputs;
      inputs.lead_hours_B = at::zeros({part.size()});
      micro_batches.push_back({x_BC.narrow(0, mine.begin + part.begin, part.size()), inputs,
                               [](const at::Tensor& y) { return y.square().sum(); }});
    }
    chain.train(micro_batches);
    chain.finish_reduce();
    const at::NoGradGuard no_grad;
    for (auto* part : chain.parts()) part->state().master.sub_(part->owned_gradient(), 0.1);
    chain.refresh();
  }
  Inputs inputs;
  inputs.lead_hours_B = at::zeros({x_BC.size(0)});
  const at::Tensor prediction = chain.predict(x_BC, inputs);
  for (auto* part : chain.parts()) {
    const at::Tensor gradient = whole_of(part->owned_gradient(), *part, c.level),
                     master = whole_of(part->state().master, *part, c.level);
    const std::lock_guard lock(outcome.mutex);
    outcome.gradients[part->block()] = gradient;
    outcome.masters[part->block()] = master;
  }
  const std::lock_guard lock(outcome.mutex);
  outcome.predictions.push_back(prediction);
}

void expect_equal_to_one_rank(const std::vector<Case>& cases) {
  const at::Tensor x_BC = at::randn({17, width}, at::detail::createCPUGenerator(3), at::kFloat);
  Outcome expected;
  run_ranks(1, [&](const World& world) { run_steps(world, {}, x_BC, expected); });
  for (const Case& c : cases) {
    SCOPED_TRACE(::testing::Message() << c);
    Outcome outcome;
    run_ranks(c.pipeline * c.replicas, [&](const World& world) { run_steps(world, c, x_BC, outcome); });
    for (const auto& [block, gradient] : expected.gradients) {
      EXPECT_TRUE(at::allclose(outcome.gradients[block], gradient, 1e-4, 1e-6)) << "gradient of " << block;
      EXPECT_TRUE(at::allclose(outcome.masters[block], expected.masters[block], 1e-5, 1e-6))
          << "weights of " << block;
    }
    for (const auto& prediction : outcome.predictions)
      EXPECT_TRUE(at::allclose(prediction, expected.predictions[0], 1e-4, 1e-6));
  }
}

TEST(Chain, EveryShardLevelAndPolicyEqualsOneRank) {
  std::vector<Case> cases;
  for (const int replicas : {1, 2, 3, 5}) {
    for (const Shard level : {Shard::none, Shard::optimizer, Shard::gradients, Shard::full}) {
      for (const Activations activations :
           {Activations::keep, Activations::recompute, Activations::offload}) {
        for (const int micro_batches : {1, 2}) {
          cases.push_back({.replicas = replicas,
                           .level = level,
                           .activations = activations,
                           .micro_batches = micro_batches});
        }
      }
    }
  }
  expect_equal_to_one_rank(cases);
}

TEST(Chain, ShardGroupsWithCopiesEqualOneRank) {
  std::vector<Case> cases;
  for (const Shard level : {Shard::none, Shard::optimizer, Shard::gradients, Shard::full}) {
    cases.push_back({.replicas = 6, .shard_ranks = 2, .level = level, .micro_batches = 2});
    cases.push_back({.replicas = 4, .shard_ranks = 1, .level = level});
  }
  expect_equal_to_one_rank(cases);
}

TEST(Chain, EveryScheduleEqualsOneRank) {
  std::vector<Case> cases;
  for (const Shard level : {Shard::none, Shard::full}) {
    for (const Activations activations : {Activations::keep, Activations::recompute}) {
      for (const int pipeline : {1, 2, 3, 4}) {
        for (const auto schedule :
             {ScheduleKind::gpipe, ScheduleKind::one_f_one_b, ScheduleKind::zero_bubble}) {
          cases.push_back({.pipeline = pipeline,
                           .replicas = 2,
                           .level = level,
                           .activations = activations,
                           .schedule = schedule,
                           .micro_batches = 5});
        }
      }
      cases.push_back({.pipeline = 2,
                       .replicas = 2,
                       .level = level,
                       .activations = activations,
                       .schedule = ScheduleKind::interleaved,
                       .chunks = 2,
                       .micro_batches = 4});
      cases.push_back({.pipeline = 2,
                       .level = level,
                       .activations = activations,
                       .schedule = ScheduleKind::interleaved,
                       .chunks = 2,
                       .micro_batches = 3});
    }
  }
  expect_equal_to_one_rank(cases);
}

// Every rank sends exactly the bytes of docs/sharding.md and docs/pipeline.md.
TEST(Chain, SendsTheBytesOfTheClosedForms) {
  const int64_t n = width * width + width, e = 4, samples = 12;
  for (const Shard level : {Shard::none, Shard::optimizer, Shard::gradients, Shard::full}) {
    for (const int shard_ranks : {0, 2}) {
      for (const int M : {1, 3}) {
        SCOPED_TRACE(::testing::Message() << "level " << static_cast<int>(level) << ", shards of "
                                          << shard_ranks << ", " << M << " micro-batches");
        run_ranks(8, [&](const World& world) {
          const int stages = 2, replicas = 4;
          const Mesh mesh = make_mesh(world, {.pipeline = stages, .data = replicas}, shard_ranks);
          ChainOptions options;
          options.shard.level = level;
          options.shard.whole = mesh.whole, options.shard.cut = mesh.cut;
          options.pipeline = {mesh.pipeline, mesh.pipeline_back, ScheduleKind::gpipe, 1, {width}, {width},
                              {width}};
          Chain chain(dense_chain(), options);
          std::vector<MicroBatch> micro_batches;
          for (int m = 0; m < M; ++m) {
            Inputs inputs;
            inputs.lead_hours_B = at::zeros({samples / M});
            micro_batches.push_back(
                {at::randn({samples / M, width}), inputs, [](const at::Tensor& y) { return y.sum(); }});
          }
          chain.train(micro_batches);
          chain.finish_reduce();

          const int64_t W = mesh.whole.shard.size(), c = mesh.whole.copies.size(), L = depth / stages;
          const int64_t mine = span_of(n, W, mesh.whole.shard.rank()).size();
          const int64_t gather = mine * (W - 1) * e, scatter = (n - mine) * e;
          // Level full gathers in forward and backward of every micro-batch, but once for the block where
          // they turn.
          const int64_t gathers = level == Shard::none ? 0 : level == Shard::full ? 2 * L * M - 1 : L;
          const int64_t reductions = level == Shard::gradients || level == Shard::full ? M : 1;
          const int64_t reduced = level == Shard::none ? gather + scatter : reductions * scatter;
          EXPECT_EQ(mesh.whole.shard.traffic().bytes_sent, gathers * gather + L * reduced);
          const int64_t owned = level == Shard::none ? n : mine;
          const int64_t part = span_of(owned, c, mesh.whole.copies.rank()).size();
          EXPECT_EQ(mesh.whole.copies.traffic().bytes_sent,
                    c == 1 ? 0 : L * (owned - part + part * (c - 1)) * e);
          const int64_t boundary = samples * width * e;
          EXPECT_EQ(mesh.pipeline.traffic().bytes_sent, chain.last_stage() ? 0 : boundary);
          EXPECT_EQ(mesh.pipeline_back.traffic().bytes_sent, chain.first_stage() ? 0 : boundary);
        });
      }
    }
  }
}

TEST(Parameters, InitialValuesDependOnSeedAndNameAlone) {
  const Parameter parameter{"weight", {40, 50}};
  const at::Tensor a = initial_values(parameter, "blocks.1.weight", 5);
  EXPECT_TRUE(at::equal(a, initial_values(parameter, "blocks.1.weight", 5)));
  EXPECT_FALSE(at::equal(a, initial_values(parameter, "blocks.2.weight", 5)));
  EXPECT_FALSE(at::equal(a, initial_values(parameter, "blocks.1.weight", 6)));
  EXPECT_LE(a.abs().max().item<float>(), 2 * 0.02F + 1e-6F);
  EXPECT_NEAR(a.std().item<float>(), 0.88 * 0.02,
              0.001);  // a normal law cut at two deviations has 0.88 of the deviation
}

}  // namespace
}  // namespace graticule
