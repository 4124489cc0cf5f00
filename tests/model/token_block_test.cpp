// Tests that tokenizer and head by tiles equal one run over all tokens, in every token mode.

#include <ATen/Context.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/randn_like.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <random>

#include "graticule/model/head.h"
#include "graticule/model/tokenizer.h"
#include "tests/seed.h"

namespace graticule {
namespace {

Weights drawn(const Block& block) {
  Weights weights;
  for (const Parameter& parameter : block.parameters) {
    weights.add(parameter.name, at::randn(parameter.local_shape()).requires_grad_());
  }
  return weights;
}

Weights copied(const Weights& weights) {
  Weights copy;
  for (const auto& [name, weight] : weights.items()) copy.add(name, weight.detach().clone().requires_grad_());
  return copy;
}

void expect_close(const at::Tensor& x, const at::Tensor& expected, const std::string& name) {
  ASSERT_EQ(x.sizes(), expected.sizes()) << name;
  if (expected.numel() == 0) return;
  EXPECT_LE((x - expected).abs().max().item<double>(),
            1e-5 * std::max(1e-3, expected.abs().max().item<double>()))
      << name;
}

void expect_lean_equals_autograd(const Block& block, const at::Tensor& x) {
  Inputs inputs;
  inputs.lead_hours_B = at::rand({x.size(0)}) * 100;
  for (int64_t b = 0; b < x.size(0); ++b) inputs.times.push_back(b * 1'000'000);
  const Weights weights = drawn(block), lean = copied(weights);
  const at::Tensor input = x.detach().clone().requires_grad_();
  const at::Tensor y = block.run(weights, input, inputs);
  const at::Tensor dy = at::randn_like(y);
  torch::autograd::backward({y}, {dy});
  expect_close(block.lean->forward(lean, x, inputs, nullptr), y.detach(), "y");
  expect_close(block.lean->backward(lean, x, dy, inputs, nullptr, true), input.grad(), "dx");
  for (const auto& [name, weight] : weights.items()) {
    ASSERT_EQ(lean[name].grad().defined(), weight.grad().defined()) << name;
    // A bias of all keys shifts all scores alike: its exact gradient is 0.
    if (name == "aggregate.k.bias") continue;
    if (weight.grad().defined()) expect_close(lean[name].grad(), weight.grad(), name);
  }
}

TEST(TokenBlock, TilesOfAnySizeEqualAutograd) {
  const auto seed = test_seed();
  std::mt19937_64 random(seed);
  at::manual_seed(seed);
  const auto below = [&](int64_t n) { return static_cast<int64_t>(random() % static_cast<uint64_t>(n)); };
  for (const TokenMode mode : {TokenMode::full, TokenMode::aggregated, TokenMode::channels}) {
    for (int draw = 0; draw < 6; ++draw) {
      ModelShape shape;
      shape.grid = {mode, 1 + below(5), 3 + below(6), 3 + below(9), 1 + below(3)};
      shape.dim = 12, shape.heads = 3, shape.head_layers = below(3), shape.calendar = below(2) == 1;
      shape.add_merged = below(2) == 1;
      const int64_t S = shape.grid.tokens(), begin = below(S), end = begin + 1 + below(S - begin);
      const int64_t tile = 1 + below(S), B = 1 + below(2);
      SCOPED_TRACE(::testing::Message() << "seed " << seed << ": " << name_of(mode) << ", tokens " << begin
                                        << " to " << end << " of " << S << ", tiles of " << tile);
      const Span tokens{begin, end};
      const at::Tensor fields =
          at::randn({B, tokens.size(), shape.grid.variables_per_token(), shape.grid.pixels()});
      expect_lean_equals_autograd(tokenizer(shape, tokens, {}, tile), fields);
      expect_lean_equals_autograd(prediction_head(shape, tokens, tile), at::randn({B, tokens.size(), 12}));
    }
  }
}

}  // namespace
}  // namespace graticule
