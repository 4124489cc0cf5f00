// Tests stochastic rounding: to a neighbour, right in the mean, the same bits for the same element.

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>

#include "graticule/train/rounding.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/seed.h"

namespace graticule {
namespace {

TEST(Rounding, BitsAreAnElementsOwnAndEvenlySpread) {
  const uint64_t key = test_seed();
  SCOPED_TRACE(::testing::Message() << "key " << key);
  constexpr int64_t count = 100'000;
  const at::Tensor all = random_bits(key, 0, count, at::kCPU);
  for (const int64_t begin : {int64_t{1}, int64_t{4'097}, int64_t{99'998}}) {
    const at::Tensor part = random_bits(key, begin, count - begin, at::kCPU);
    EXPECT_TRUE(at::equal(part, all.narrow(0, begin, count - begin)));
  }
  EXPECT_TRUE(at::equal(random_bits(key, (int64_t{1} << 32) + 5, 9, at::kCPU), all.narrow(0, 5, 9)));
  EXPECT_FALSE(at::equal(random_bits(key + (uint64_t{1} << 20), 0, count, at::kCPU), all));
  // Each bit has mean 1/2 and is independent of that of the next element, within five standard deviations.
  for (int bit = 0; bit < 32; ++bit) {
    const at::Tensor ones = all.bitwise_right_shift(bit).bitwise_and(1).to(at::kFloat);
    const at::Tensor same = ones.slice(0, 1).eq(ones.slice(0, 0, -1)).to(at::kFloat);
    EXPECT_NEAR(ones.mean().item<double>(), 0.5, 0.008) << "bit " << bit;
    EXPECT_NEAR(same.mean().item<double>(), 0.5, 0.008) << "bit " << bit;
  }
}

TEST(Rounding, GoesToANeighbourAndIsRightInTheMean) {
  constexpr int64_t count = 1 << 16;
  const at::Tensor draw = at::arange(count, at::kInt);  // every draw once: the mean is exact
  for (const double value : {1.0, 1.001, -1.001, 3.14159, -2e-20, 1e30, 0.0, 1.0 - 1e-7}) {
    const at::Tensor values = at::full({count}, value, at::kFloat);
    const at::Tensor rounded = at::empty({count}, at::kBFloat16);
    round_to_bf16(values.clone(), draw, rounded);
    const at::Tensor errors = rounded.to(at::kDouble).sub(values.to(at::kDouble));
    EXPECT_LE(errors.abs().max().item<double>(), std::abs(value) / 128) << value;
    EXPECT_LE(errors.mean().abs().item<double>(), std::abs(value) * 1e-6) << value;
  }
  const at::Tensor exact = at::randn({count}).to(at::kBFloat16), same = at::empty_like(exact);
  round_to_bf16(exact.to(at::kFloat), draw, same);
  EXPECT_TRUE(at::equal(same, exact));
}

}  // namespace
}  // namespace graticule
