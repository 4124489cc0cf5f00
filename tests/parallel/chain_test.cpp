// The executor and sharding: any level over any number of ranks gives the gradients and updates of one rank.

#include "graticule/parallel/chain.h"

#include <gtest/gtest.h>

#include "tests/ranks.h"

namespace graticule {
namespace {

// A chain of small dense layers; the samples are spread over the ranks.
std::vector<Block> dense_chain() {
  std::vector<Block> blocks;
  for (int i = 0; i < 3; ++i) {
    blocks.push_back({"dense." + std::to_string(i),
                      {{"weight", {5, 5}, Init::truncated_normal, 0.5}, {"bias", {5}, Init::zeros, 0, false}},
                      [](const Weights& weights, const at::Tensor& x, const Inputs&) {
                        return at::tanh(at::matmul(x, weights["weight"]) + weights["bias"]);
                      }});
  }
  return blocks;
}

struct Outcome {
  std::vector<at::Tensor> gradients, masters;  ///< whole, by block
};

at::Tensor whole_of(const at::Tensor& owned, const ShardedBlock& block, Shard level, const Group& group) {
  if (level == Shard::none) return owned.clone();
  return group.all_gather(owned, span_sizes(block.numel(), group.size())).wait();
}

Outcome step(const World& world, Shard level, Activations activations, int micro_batches,
             const at::Tensor& x_BC) {
  ShardOptions options;
  options.level = level;
  options.replicas = group_of_all(world);
  options.seed = 7;
  Chain chain(dense_chain(), options, activations);
  const Span mine = span_of(x_BC.size(0), world.size, world.rank);
  for (int round = 0; round < 2; ++round) {
    chain.zero_gradients();
    for (int m = 0; m < micro_batches; ++m) {
      const Span part = span_of(mine.size(), micro_batches, m);
      const at::Tensor x = x_BC.narrow(0, mine.begin + part.begin, part.size());
      chain.train(
          x, {}, [](const at::Tensor& y) { return y.square().sum(); }, m + 1 == micro_batches);
    }
    chain.finish_reduce();
    const at::NoGradGuard no_grad;
    for (auto& block : chain.blocks()) block.state().master.sub_(block.owned_gradient(), 0.1);
    chain.refresh();
  }
  Outcome outcome;
  for (auto& block : chain.blocks()) {
    outcome.gradients.push_back(whole_of(block.owned_gradient(), block, level, options.replicas));
    outcome.masters.push_back(whole_of(block.state().master, block, level, options.replicas));
  }
  return outcome;
}

TEST(Chain, EveryShardLevelAndPolicyEqualsOneRank) {
  const at::Tensor x_BC = at::randn({11, 5}, at::detail::createCPUGenerator(3), at::kFloat);
  Outcome expected;
  run_ranks(1, [&](const World& world) { expected = step(world, Shard::none, Activations::keep, 1, x_BC); });
  for (const int ranks : {1, 2, 3, 5}) {
    for (const Shard level : {Shard::none, Shard::optimizer, Shard::gradients, Shard::full}) {
      for (const Activations activations : {Activations::keep, Activations::recompute}) {
        for (const int micro_batches : {1, 2}) {
          SCOPED_TRACE(::testing::Message()
                       << ranks << " ranks, level " << static_cast<int>(level) << ", policy "
                       << static_cast<int>(activations) << ", " << micro_batches << " micro-batches");
          run_ranks(ranks, [&](const World& world) {
            const Outcome outcome = step(world, level, activations, micro_batches, x_BC);
            for (size_t i = 0; i < expected.gradients.size(); ++i) {
              EXPECT_TRUE(at::allclose(outcome.gradients[i], expected.gradients[i], 1e-4, 1e-6))
                  << "gradient of block " << i;
              EXPECT_TRUE(at::allclose(outcome.masters[i], expected.masters[i], 1e-5, 1e-6))
                  << "weights of block " << i;
            }
          });
        }
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
