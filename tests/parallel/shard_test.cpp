// Tests the memory of a block's weights. With level full only blocks in use have any.

#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/zeros.h>

#include "graticule/parallel/shard.h"

#include <gtest/gtest.h>

#include "graticule/parallel/chain.h"
#include "tests/ranks.h"

namespace graticule {
namespace {

constexpr int64_t width = 6, depth = 5;

struct Case {
  int ranks;
  at::ScalarType compute;
  Activations activations;
};

// Bytes behind a part's weights in use. The master weights themselves take nothing more.
size_t gathered_bytes(ShardedPart& part) {
  size_t bytes = 0;
  for (const auto& [name, leaf] : part.leaves().items()) {
    if (!leaf.is_alias_of(part.state().master)) bytes = leaf.storage().nbytes();
  }
  return bytes;
}

std::vector<std::string> gathered_blocks(Chain& chain) {
  std::vector<std::string> blocks;
  for (auto* part : chain.parts()) {
    if (gathered_bytes(*part) > 0) blocks.push_back(part->block());
  }
  return blocks;
}

void expect_weights_of_the_block_in_use_alone(const World& world, const Case& c) {
  const Mesh mesh = make_mesh(world, {.data = c.ranks});
  ChainOptions options;
  options.shard.level = Shard::full;
  options.shard.whole = mesh.whole, options.shard.cut = mesh.cut;
  options.shard.compute = c.compute;
  options.activations = {c.activations};
  Chain* running = nullptr;
  std::vector<Weights> lists;  // what a careless block might keep
  std::vector<Block> blocks;
  const bool aliases = c.ranks == 1 && c.compute == at::kFloat;
  for (int64_t i = 0; i < depth; ++i) {
    const std::string name = "dense." + std::to_string(i);
    blocks.push_back({name,
                      {{"weight", {width, width}}, {"bias", {width}, Init::zeros, 0, false}},
                      [&, name](const Weights& weights, const at::Tensor& x, const Inputs&) {
                        EXPECT_EQ(gathered_blocks(*running),
                                  aliases ? std::vector<std::string>() : std::vector<std::string>{name});
                        lists.push_back(weights);
                        return at::tanh(at::matmul(x, weights["weight"]) + weights["bias"]);
                      }});
  }
  Chain chain(std::move(blocks), options);
  running = &chain;
  Inputs inputs;
  inputs.lead_hours_B = at::zeros({3});
  const at::Tensor x_BC = at::ones({3, width}, c.compute);
  for (int step = 0; step < 3; ++step) {
    chain.zero_gradients();
    const MicroBatch micro{x_BC, inputs, [](const at::Tensor& y) { return y.to(at::kFloat).square().sum(); }};
    chain.train({micro, micro});
    EXPECT_TRUE(gathered_blocks(chain).empty()) << "after a step";
    chain.finish_reduce();
    chain.refresh();
    chain.predict(x_BC, inputs);
    EXPECT_TRUE(gathered_blocks(chain).empty()) << "after a prediction";
  }
  for (const Weights& list : lists) {
    if (aliases) continue;
    for (const auto& [name, leaf] : list.items()) EXPECT_EQ(leaf.storage().nbytes(), 0) << name;
  }
}

TEST(Shard, FullHoldsWeightsOfTheBlockInUseAlone) {
  for (const Activations activations : {Activations::keep, Activations::recompute, Activations::offload}) {
    for (const at::ScalarType compute : {at::kFloat, at::kBFloat16}) {
      for (const int ranks : {1, 2, 3}) {
        SCOPED_TRACE(::testing::Message()
                     << ranks << " ranks, policy " << static_cast<int>(activations) << ", " << compute);
        run_ranks(ranks, [&](const World& world) {
          expect_weights_of_the_block_in_use_alone(world, {ranks, compute, activations});
        });
      }
    }
  }
}

TEST(Shard, OnTheMetaDeviceNothingIsDrawn) {
  ShardOptions options;
  options.device = at::kMeta;
  options.moments = at::kBFloat16;
  ShardedPart part("huge", {{"weight", {int64_t{1} << 20, int64_t{1} << 20}}}, options, {});
  EXPECT_TRUE(part.state().master.is_meta());
  EXPECT_EQ(part.state().master.numel(), int64_t{1} << 40);
  EXPECT_EQ(part.state().moment2.scalar_type(), at::kBFloat16);
}

TEST(Shard, StretchesCutTheOwnedSpanWhereDecayChanges) {
  const Parameter decays{"a", {4, 3}}, does_not{"b", {5}, Init::zeros, 0, false};
  Parameter also = does_not, again = decays;
  also.name = "c", again.name = "d";
  const ShardedPart part("block", {decays, does_not, also, again}, {}, {});
  const auto& stretches = part.stretches();
  ASSERT_EQ(stretches.size(), 3u);
  EXPECT_EQ(stretches[0].span, (Span{0, 12}));
  EXPECT_EQ(stretches[1].span, (Span{12, 22}));
  EXPECT_EQ(stretches[2].span, (Span{22, 34}));
  EXPECT_TRUE(stretches[0].decay && !stretches[1].decay && stretches[2].decay);
}

}  // namespace
}  // namespace graticule
