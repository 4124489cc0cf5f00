// Compares the tiled loss with autograd through the plain formula.

#include "graticule/train/loss.h"

#include <ATen/Context.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <limits>

#include "tests/tensor_memory.h"

namespace graticule {
namespace {

at::Tensor plain(const at::Tensor& prediction, const at::Tensor& target, const at::Tensor& weight) {
  return (weight * (prediction - target).square()).sum();
}

at::Tensor gradient_of(const at::Tensor& value, const at::Tensor& x, float seed) {
  return torch::autograd::grad({value}, {x}, {at::full({}, seed)})[0];
}

// 2^18 values make a tile: the largest cases have several, the last one odd.
TEST(SquaredErrorSum, IsThePlainFormulaInValueAndGradient) {
  at::manual_seed(7);
  const std::vector<std::vector<int64_t>> shapes = {{1, 1, 1, 1}, {2, 5, 3, 4},     {0, 5, 1, 4},
                                                    {2, 0, 1, 4}, {3, 70001, 1, 4}, {2, 4099, 23, 9},
                                                    {2, 300000}};
  for (const auto& sizes : shapes) {
    SCOPED_TRACE(testing::Message() << at::IntArrayRef(sizes));
    const at::Tensor x = at::randn(sizes).requires_grad_(), target = at::randn(sizes);
    std::vector<int64_t> sample = sizes;
    sample[0] = 1;
    const at::Tensor weight = at::rand(sample).mul_(at::rand(sample).gt(0.3)).expand(sizes);
    const at::Tensor value = squared_error_sum(x, target, weight), expected = plain(x, target, weight);
    EXPECT_EQ(value.scalar_type(), at::kFloat);
    EXPECT_NEAR(value.item<double>(), expected.item<double>(), 1e-5 * expected.item<double>());
    EXPECT_TRUE(at::equal(gradient_of(value, x, 1), gradient_of(expected, x, 1)));
    EXPECT_TRUE(at::allclose(gradient_of(squared_error_sum(x, target, weight), x, -1.7f),
                             gradient_of(plain(x, target, weight), x, -1.7f), 1e-6, 0));
    EXPECT_TRUE(at::equal(squared_error_sum(x, target, weight), value));
    EXPECT_NEAR(weight_sum(weight).item<double>(), weight.sum(at::kDouble).item<double>(),
                1e-12 * weight.sum(at::kDouble).item<double>());
  }
}

TEST(SquaredErrorSum, LetsNothingHideBehindAWeightOfZero) {
  at::Tensor target = at::zeros({1, 3});
  target[0][1] = std::numeric_limits<float>::quiet_NaN();
  const at::Tensor value = squared_error_sum(at::ones({1, 3}), target, at::zeros({1, 3}));
  EXPECT_TRUE(value.isnan().item<bool>());
}

TEST(SquaredErrorSum, TakesItsGradientAndTilesAlone) {
  const std::vector<int64_t> sizes = {1, 1 << 20, 1, 4};
  const at::Tensor x = at::randn(sizes).requires_grad_(), target = at::randn(sizes), weight = at::rand(sizes);
  const int64_t tile = 4 << 18;
  EXPECT_LE(peak_tensor_bytes([&] { squared_error_sum(x, target, weight); }), tile + 4096);
  EXPECT_LE(peak_tensor_bytes([&] { gradient_of(squared_error_sum(x, target, weight), x, 1); }),
            static_cast<int64_t>(x.nbytes()) + 4096);
  EXPECT_LE(peak_tensor_bytes([&] { weight_sum(weight); }), 2 * tile + 4096);
}

TEST(SquaredErrorSum, NeedsNoGradient) {
  const at::NoGradGuard no_grad;
  EXPECT_EQ(squared_error_sum(at::full({2, 3}, 2.0f), at::ones({2, 3}), at::ones({2, 3})).item<float>(), 6);
}

}  // namespace
}  // namespace graticule
