// Tests that AdamW with moments in bf16 follows AdamW in fp32, on any number of ranks, in memory and in a
// file.

#include <ATen/ops/allclose.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include "graticule/train/optimizer.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "graticule/core/error.h"
#include "tests/ranks.h"
#include "tests/train/scratch_folder.h"
#include "tests/train/whole_model.h"

namespace graticule {
namespace {

struct Case {
  int ranks = 1;
  Shard level = Shard::none;
  at::ScalarType moments = at::kFloat;
  std::string state_in = {};
  int64_t width = 7;
  int steps = 5;
  double beta2 = 0.95;
};

struct Outcome {
  WholeModel masters, moments1, moments2;
};

// Gradients of y = x W + b under a loss linear in y: the same in every step. Whole numbers, so that sums over
// ranks are exact.
void run_steps(const World& world, const Case& c, Outcome& outcome) {
  const Mesh mesh = make_mesh(world, {.data = c.ranks});
  ChainOptions options;
  options.shard.level = c.level;
  options.shard.whole = mesh.whole, options.shard.cut = mesh.cut;
  options.shard.seed = 5;
  options.shard.moments = c.moments, options.shard.state_in = c.state_in;
  const Block dense{"dense",
                    {{"bias", {c.width}, Init::zeros, 0, false}, {"weight", {c.width, c.width}}},
                    [](const Weights& weights, const at::Tensor& x, const Inputs&) {
                      return at::matmul(x, weights["weight"]) + weights["bias"];
                    }};
  Chain chain({dense}, options);
  const at::Tensor x_BC = at::randint(-3, 4, {6, c.width}, at::detail::createCPUGenerator(3)).to(at::kFloat);
  const Span mine = span_of(6, c.ranks, world.rank);
  for (int64_t step = 1; step <= c.steps; ++step) {
    chain.zero_gradients();
    Inputs inputs;
    inputs.lead_hours_B = at::zeros({mine.size()});
    const at::Tensor slope = at::arange(c.width, at::kFloat).remainder(5).sub(2);
    chain.train({{x_BC.narrow(0, mine.begin, mine.size()), inputs,
                  [&](const at::Tensor& y) { return y.mul(slope).sum(); }}});
    chain.finish_reduce();
    update(chain, {.beta2 = c.beta2, .seed = 9}, 1e-2, at::full({}, 0.25, at::kDouble), step);
  }
  outcome.masters.add(chain, c.level, [](auto& part) { return part.state().master; });
  outcome.moments1.add(chain, c.level, [](auto& part) { return part.state().moment1.to(at::kFloat); });
  outcome.moments2.add(chain, c.level, [](auto& part) { return part.state().moment2.to(at::kFloat); });
}

std::shared_ptr<Outcome> outcome_of(const Case& c) {
  const auto outcome = std::make_shared<Outcome>();
  run_ranks(c.ranks, [&](const World& world) { run_steps(world, c, *outcome); });
  return outcome;
}

void expect_equal(const WholeModel& got, const WholeModel& expected, double tolerance) {
  for (const auto& [name, value] : expected.values()) {
    EXPECT_TRUE(at::allclose(got.values().at(name), value, tolerance, tolerance * 0.05)) << name;
  }
}

TEST(Optimizer, Bf16MomentsAreFp32OnesWithinTheirError) {
  for (const int64_t width : {int64_t{7}, int64_t{700}}) {  // a chunk, and two
    const auto exact = outcome_of({.width = width}),
               rounded = outcome_of({.moments = at::kBFloat16, .width = width});
    expect_equal(rounded->moments1, exact->moments1, 0.03);
    expect_equal(rounded->moments2, exact->moments2, 0.03);
    const auto change = [&](const char* name) {
      return rounded->masters.values().at(name).sub(exact->masters.values().at(name)).abs().max();
    };
    // Five updates of 1e-2, each within a few steps of bf16.
    EXPECT_LE(change("dense.weight").item<double>(), 5e-4);
    EXPECT_LE(change("dense.bias").item<double>(), 5e-4);
  }
}

TEST(Optimizer, Bf16MomentsGiveTheSameBitsOnAnyNumberOfRanks) {
  const auto expected = outcome_of({.moments = at::kBFloat16, .width = 61});
  for (const Shard level : {Shard::none, Shard::optimizer, Shard::gradients, Shard::full}) {
    const auto got = outcome_of({.ranks = 3, .level = level, .moments = at::kBFloat16, .width = 61});
    expect_equal(got->masters, expected->masters, 1e-6);
    // The last elements of a vector loop may round differently, so few random draws may fall to the other
    // side.
    for (const auto& [name, value] : expected->moments2.values()) {
      const at::Tensor equal = got->moments2.values().at(name).eq(value).to(at::kFloat);
      EXPECT_GE(equal.mean().item<double>(), 0.99) << name << ", level " << static_cast<int>(level);
    }
  }
}

// With beta2 = 0.999 a step moves a moment by a thousandth: rounded to nearest it would not change.
TEST(Optimizer, ASlowSecondMomentStillArrives) {
  const Case slow{.width = 61, .steps = 800, .beta2 = 0.999};
  Case in_bf16 = slow;
  in_bf16.moments = at::kBFloat16;
  const at::Tensor exact = outcome_of(slow)->moments2.values().at("dense.weight"),
                   rounded = outcome_of(in_bf16)->moments2.values().at("dense.weight");
  EXPECT_NEAR((rounded.sum() / exact.sum()).item<double>(), 1, 0.01);
  const at::Tensor squares = exact / (1 - std::pow(0.999, 800));
  at::Tensor nearest = at::zeros_like(exact);
  for (int step = 0; step < 800; ++step)
    nearest = nearest.lerp(squares, 1 - 0.999).to(at::kBFloat16).to(at::kFloat);
  EXPECT_LE((nearest.sum() / exact.sum()).item<double>(), 0.8);
}

TEST(Optimizer, AMappedStateIsTheStateInMemoryBitForBit) {
  const ScratchFolder folder;
  for (const at::ScalarType moments : {at::kFloat, at::kBFloat16}) {
    for (const int ranks : {1, 3}) {
      const Case memory{.ranks = ranks, .level = Shard::full, .moments = moments, .width = 61};
      Case mapped = memory;
      mapped.state_in = folder.path();
      const auto expected = outcome_of(memory), got = outcome_of(mapped);
      for (const auto member : {&Outcome::masters, &Outcome::moments1, &Outcome::moments2}) {
        for (const auto& [name, value] : ((*expected).*member).values())
          EXPECT_TRUE(at::equal(((*got).*member).values().at(name), value)) << name;
      }
    }
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace graticule
