// Tests the linear layer: values, gradients, packed products, deferred weight gradients, refusals.
#include "graticule/kernel/linear.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <utility>

#include "graticule/kernel/matrix_blocks.h"
#include "graticule/kernel/matrix_product.h"

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

TEST(Linear, LongSumsAreCutAndThreadsDoNotChangeThem) {
  at::manual_seed(4);
  const auto a = at::randn({20, 8192 + 700}), b = at::randn({16, 8192 + 700}).t();
  if (!matrix_packing()) GTEST_SKIP() << "this processor has no AVX2";
  const auto one = matrix_product(a, b, std::nullopt, at::kFloat);
  at::set_num_threads(3);
  EXPECT_TRUE(at::equal(one, matrix_product(a, b, std::nullopt, at::kFloat)));
  at::set_num_threads(1);
  EXPECT_LT(error(one, at::mm(wide(a), wide(b))), 2e-6);
  EXPECT_LT(error(matrix_product(a.to(at::kBFloat16), b.to(at::kBFloat16), std::nullopt, at::kBFloat16),
                  at::mm(wide(a.to(at::kBFloat16)), wide(b.to(at::kBFloat16)))),
            4e-3);
}

TEST(Linear, BlocksMultiplyOperandsInEitherOrder) {
  if (!matrix_packing()) GTEST_SKIP() << "this processor has no AVX2";
  at::manual_seed(5);
  for (const bool a_turned : {false, true}) {
    for (const bool b_turned : {false, true}) {
      const auto a = a_turned ? at::randn({150, 203}).t() : at::randn({203, 150});
      const auto b = b_turned ? at::randn({77, 150}).t() : at::randn({150, 77});
      const auto bias = at::randn({77});
      EXPECT_LT(error(matrix_product(a, b, bias, at::kFloat), at::mm(wide(a), wide(b)) + wide(bias)), 2e-6);
    }
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
