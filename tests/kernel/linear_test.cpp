// Tests the linear layer: values, gradients, packed products, deferred weight gradients, refusals.
#include "graticule/kernel/linear.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <array>
#include <limits>
#include <random>
#include <utility>

#include "graticule/core/error.h"
#include "graticule/kernel/matrix_blocks.h"
#include "graticule/kernel/matrix_product.h"
#include "tests/seed.h"

namespace graticule {
namespace {

at::Tensor wide(const at::Tensor& x) { return x.detach().to(at::kDouble); }

/// Largest difference over the largest exact value.
double error(const at::Tensor& x, const at::Tensor& exact) {
  return ((wide(x) - exact).abs().max() / exact.abs().max()).item<double>();
}

TEST(Linear, ValueAndGradientsAreTheFormulas) {
  struct Case {
    std::vector<int64_t> leading;
    int64_t in, out;
    bool bias;
  };
  at::manual_seed(3);
  for (const auto& c : {Case{{2, 97}, 65, 130, true}, Case{{400}, 512, 33, false}, Case{{3}, 7, 5, true},
                        Case{{1, 2, 40}, 300, 64, true}, Case{{17}, 1, 16, true}, Case{{}, 4, 3, true}}) {
    for (const auto dtype : {at::kFloat, at::kBFloat16, at::kHalf}) {
      auto shape = c.leading;
      shape.push_back(c.in);
      std::vector<at::Tensor> inputs{at::randn(shape).to(dtype).requires_grad_(),
                                     at::randn({c.out, c.in}).to(dtype).requires_grad_()};
      if (c.bias) inputs.push_back(at::randn({c.out}).to(dtype).requires_grad_());
      const auto bias = c.bias ? std::optional(inputs[2]) : std::nullopt;
      const auto y = graticule::linear(inputs[0], inputs[1], bias);
      const auto dy = at::randn(y.sizes()).to(dtype);
      const auto gradients = torch::autograd::grad({y}, inputs, {dy});
      const auto x_NI = wide(inputs[0]).reshape({-1, c.in}), dy_NO = wide(dy).reshape({-1, c.out}),
                 w = wide(inputs[1]);
      auto exact = at::matmul(wide(inputs[0]), w.t());
      if (c.bias) exact = exact + wide(inputs[2]);
      const double limit = dtype == at::kFloat ? 2e-6 : dtype == at::kHalf ? 1e-3 : 8e-3;
      EXPECT_EQ(y.scalar_type(), dtype);
      EXPECT_LT(error(y, exact), limit) << shape << " " << dtype;
      EXPECT_LT(error(gradients[0].reshape({-1, c.in}), at::mm(dy_NO, w)), limit) << shape << " " << dtype;
      EXPECT_LT(error(gradients[1], at::mm(dy_NO.t(), x_NI)), limit) << shape << " " << dtype;
      if (c.bias) {
        EXPECT_LT(error(gradients[2], dy_NO.sum(0)), limit) << shape << " " << dtype;
      }
    }
  }
}

// A [rows, columns] matrix with normal values: row-major, transposed, rows far apart, or neither stride 1.
at::Tensor matrix(int64_t rows, int64_t columns, int64_t form, at::ScalarType dtype) {
  switch (form) {
    case 0:
      return at::randn({rows, columns}).to(dtype);
    case 1:
      return at::randn({columns, rows}).to(dtype).t();
    case 2:
      return at::randn({rows, columns + 600}).to(dtype).narrow(1, 7, columns);
    default:
      return at::randn({rows, columns, 2}).to(dtype).select(2, 1);
  }
}

TEST(Linear, BlocksMultiplyAnySizesStridesAndThreads) {
  if (!matrix_packing()) GTEST_SKIP() << "this processor has no AVX2";
  const auto seed = test_seed();
  at::manual_seed(seed);
  std::mt19937_64 random(seed);
  const auto pick = [&](std::vector<int64_t> from) { return from[random() % from.size()]; };
  for (int i = 0; i < 60; ++i) {
    const int64_t rows = pick({1, 16, 97, 192, 203, 401}),
                  inner = pick({1, 16, 130, 512, 513, 1100, 8192 + 700}),
                  columns = pick({1, 17, 64, 77, 512, 601});
    const auto dtype = std::array{at::kFloat, at::kFloat, at::kBFloat16, at::kHalf}[random() % 4];
    const auto a = matrix(rows, inner, pick({0, 1, 2, 3}), dtype),
               b = matrix(inner, columns, pick({0, 1, 2, 3}), dtype);
    const auto bias = random() % 2 ? std::optional(at::randn({columns}).to(dtype)) : std::nullopt;
    const auto where = text("seed ", seed, ", draw ", i, ": ", rows, " x ", inner, " x ", columns, " ", dtype,
                            ", strides ", a.strides(), " and ", b.strides());
    auto exact = at::mm(wide(a), wide(b));
    if (bias) exact = exact + wide(*bias);
    at::set_num_threads(1);
    const auto one = matrix_product(a, b, bias, dtype);
    EXPECT_LT(error(one, exact), dtype == at::kFloat ? 2e-6 : dtype == at::kHalf ? 1e-3 : 8e-3) << where;
    EXPECT_TRUE(at::equal(one, matrix_product(a.contiguous(), b.t().contiguous().t(), bias, dtype))) << where;
    for (const int threads : {2, 3, 8}) {
      at::set_num_threads(threads);
      EXPECT_TRUE(at::equal(one, matrix_product(a, b, bias, dtype)))
          << where << ", " << threads << " threads";
    }
    at::set_num_threads(1);
  }
}

TEST(Linear, BlocksKeepNaNAndInfinity) {
  if (!matrix_packing()) GTEST_SKIP() << "this processor has no AVX2";
  for (const auto dtype : {at::kFloat, at::kBFloat16, at::kHalf}) {
    auto a = at::ones({40, 600}).to(dtype), b = at::ones({600, 70}).to(dtype);
    a[3][5] = std::numeric_limits<float>::quiet_NaN();
    b[599][69] = std::numeric_limits<float>::infinity();
    const auto c = matrix_product(a, b, std::nullopt, dtype).to(at::kFloat);
    EXPECT_TRUE(c[3].isnan().all().item<bool>());
    EXPECT_EQ(c.isnan().sum().item<int64_t>(), 70);
    EXPECT_EQ(c.isinf().sum().item<int64_t>(), 39);
    EXPECT_EQ(c[0][0].item<float>(), 600);
  }
}

TEST(Linear, EmptyAndMetaInputsKeepTheirShapes) {
  EXPECT_EQ(graticule::linear(at::zeros({0, 4}), at::zeros({3, 4})).sizes(), at::IntArrayRef({0, 3}));
  const auto meta = at::TensorOptions(at::kMeta);
  EXPECT_EQ(
      graticule::linear(at::empty({50, 40}, meta), at::empty({30, 40}, meta), at::empty({30}, meta)).sizes(),
      at::IntArrayRef({50, 30}));
}

TEST(Linear, DeferredWeightGradientsAreTheUndeferredOnes) {
  at::manual_seed(6);
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    for (const bool with_bias : {true, false}) {
      const at::Tensor x = at::randn({2, 31, 20}).to(dtype).requires_grad_();
      const at::Tensor weight = at::randn({33, 20}).to(dtype).requires_grad_();
      const at::Tensor bias = at::randn({33}).to(dtype).requires_grad_();
      const at::Tensor dy = at::randn({2, 31, 33}).to(dtype);
      const std::vector<at::Tensor> leaves = {x, weight, bias};
      const auto twice = [&](const std::shared_ptr<DeferredGradients>& deferred) {
        for (int i = 0; i < 2; ++i) {
          const auto y =
              graticule::linear(x, weight, with_bias ? std::optional(bias) : std::nullopt, deferred);
          torch::autograd::backward({y}, {dy});
        }
      };
      const auto take = [&] {
        std::vector<at::Tensor> gradients;
        for (const auto& leaf : leaves) gradients.push_back(std::exchange(leaf.mutable_grad(), {}));
        return gradients;
      };
      twice(nullptr);
      const auto expected = take();
      const auto deferred = std::make_shared<DeferredGradients>();
      twice(deferred);
      EXPECT_TRUE(at::equal(x.grad(), expected[0])) << "before the weights' gradients";
      EXPECT_FALSE(weight.grad().defined() || bias.grad().defined() || deferred->empty());
      deferred->run();
      EXPECT_TRUE(deferred->empty());
      const auto gradients = take();
      EXPECT_TRUE(at::equal(gradients[1], expected[1]));
      EXPECT_EQ(gradients[2].defined(), with_bias);
      if (with_bias) {
        EXPECT_TRUE(at::equal(gradients[2], expected[2]));
      }
    }
  }
  const auto weights = at::zeros({2, 3, 4}).requires_grad_();
  EXPECT_THROW(graticule::linear(at::zeros({2, 4}), weights[0], {}, std::make_shared<DeferredGradients>()),
               std::logic_error);
}

TEST(Linear, RefusesShapesAndDtypesThatDoNotFit) {
  const auto x = at::zeros({2, 4});
  EXPECT_THROW(graticule::linear(x, at::zeros({3, 5})), std::invalid_argument);
  EXPECT_THROW(graticule::linear(x, at::zeros({4})), std::invalid_argument);
  EXPECT_THROW(graticule::linear(x, at::zeros({3, 4}), at::zeros({4})), std::invalid_argument);
  EXPECT_THROW(graticule::linear(x, at::zeros({3, 4}, at::kHalf)), std::invalid_argument);
}

}  // namespace
}  // namespace graticule
