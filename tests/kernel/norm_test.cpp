// Tests layer norm with the residual sum before it, and GELU: values and gradients against the formulas in
// fp64, every instruction set, any number of threads.
#include "graticule/kernel/norm.h"

#include <ATen/Parallel.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/gelu_backward.h>
#include <ATen/ops/isnan.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/native_layer_norm.h>
#include <ATen/ops/native_layer_norm_backward.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <limits>

#include "graticule/kernel/flash_cpu.h"
#include "graticule/kernel/gelu.h"
#include "graticule/kernel/row_kernels.h"
#include "graticule/kernel/row_tensors.h"
#include "tests/seed.h"

namespace graticule {
namespace {

at::Tensor wide(const at::Tensor& x) { return x.detach().to(at::kDouble); }

/// Largest difference over the largest exact value.
double error(const at::Tensor& x, const at::Tensor& exact) {
  return ((wide(x) - exact).abs().max() / exact.abs().max()).item<double>();
}

struct Case {
  std::vector<int64_t> shape;
  bool branch = true;
  bool reads_sum = true;  ///< whether the sum has a gradient of its own
};

struct Results {
  at::Tensor sum, normed;
  std::vector<at::Tensor> gradients;  ///< of x, branch, weight, bias
};

/// `every_other`: x is a strided view, as the heads of q beside those of k are.
Results run(const Case& c, at::ScalarType dtype, bool every_other, std::vector<at::Tensor>* inputs,
            at::Tensor* dsum, at::Tensor* dnormed) {
  at::manual_seed(test_seed());
  auto doubled = c.shape;
  doubled[0] *= 2;
  const auto random = [&](const std::vector<int64_t>& shape) { return at::randn(shape).to(dtype); };
  const at::Tensor x = every_other ? random(doubled).slice(0, 0, doubled[0], 2) : random(c.shape);
  const int64_t C = c.shape.back();
  *inputs = {(3 + x).requires_grad_(), random(c.shape).requires_grad_(), random({C}).requires_grad_(),
             random({C}).requires_grad_()};
  auto& list = *inputs;
  const auto [sum, normed] =
      add_norm(list[0], c.branch ? std::optional(list[1]) : std::nullopt, list[2], list[3]);
  *dsum = random(c.shape), *dnormed = random(c.shape);
  std::vector<at::Tensor> wanted = list;
  if (!c.branch) wanted.erase(wanted.begin() + 1);
  std::vector<at::Tensor> outputs{normed}, douts{*dnormed};
  if (c.reads_sum) outputs.push_back(sum), douts.push_back(*dsum);
  auto gradients = torch::autograd::grad(outputs, wanted, douts);
  if (!c.branch) gradients.insert(gradients.begin() + 1, at::Tensor());
  return {sum.detach(), normed.detach(), gradients};
}

TEST(Norm, ValuesAndGradientsAreTheFormulas) {
  for (const auto& c : {Case{{2, 97, 64}}, Case{{3, 5}, false}, Case{{1, 130, 37}, true, false},
                        Case{{4, 2, 31, 16}, false, false}, Case{{700, 130}}, Case{{5, 3}}}) {
    for (const auto dtype : {at::kFloat, at::kBFloat16}) {
      SCOPED_TRACE(::testing::Message() << c.shape << " branch " << c.branch << " " << dtype);
      std::vector<at::Tensor> in;
      at::Tensor dsum, dnormed;
      const Results got = run(c, dtype, true, &in, &dsum, &dnormed);
      const int64_t C = c.shape.back();
      // The norm is that of the sum as the dtype keeps it.
      const at::Tensor sum = wide(c.branch ? in[0] + in[1] : in[0]);
      const auto [normed, mean, r] = at::native_layer_norm(sum, {C}, wide(in[2]), wide(in[3]), 1e-5);
      auto [dx, dweight, dbias] = at::native_layer_norm_backward(
          wide(dnormed), sum, {C}, mean, r, wide(in[2]), wide(in[3]), {true, true, true});
      if (c.reads_sum) dx = dx + wide(dsum);
      const double limit = dtype == at::kFloat ? 3e-6 : 5e-3;
      EXPECT_TRUE(at::equal(wide(got.sum), sum));
      EXPECT_LT(error(got.normed, normed), limit);
      EXPECT_LT(error(got.gradients[0], dx), limit);
      if (c.branch) {
        EXPECT_LT(error(got.gradients[1], dx), limit);
      }
      EXPECT_LT(error(got.gradients[2], dweight), limit);
      EXPECT_LT(error(got.gradients[3], dbias), limit);
    }
  }
}

TEST(Norm, ThreadsDoNotChangeABit) {
  const int threads = at::get_num_threads();
  std::vector<at::Tensor> in;
  at::Tensor dsum, dnormed;
  at::set_num_threads(1);
  const Results one = run({{3, 401, 37}}, at::kFloat, false, &in, &dsum, &dnormed);
  at::set_num_threads(5);
  const Results five = run({{3, 401, 37}}, at::kFloat, false, &in, &dsum, &dnormed);
  at::set_num_threads(threads);
  EXPECT_TRUE(at::equal(one.normed, five.normed));
  for (size_t i = 0; i < 4; ++i) EXPECT_TRUE(at::equal(one.gradients[i], five.gradients[i])) << i;
}

// A row of zeros in place of one that overflows would look like a good one.
TEST(Norm, ARowWhoseSquaresOverflowIsNoNumber) {
  at::Tensor x = at::ones({3, 37});
  x[1][5].fill_(1e25);
  const at::Tensor none = at::isnan(graticule::layer_norm(x, at::ones({37}), at::zeros({37})));
  EXPECT_TRUE(none[1].all().item<bool>());
  EXPECT_FALSE(none[0].any().item<bool>() || none[2].any().item<bool>());
}

/// Points where GELU is hard: its tails, its turning point, zero, and what is no number.
at::Tensor points() { return at::linspace(-14, 14, 100'003); }

TEST(Gelu, ValuesAndGradientsAreTheFormulas) {
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    for (const bool strided : {false, true}) {
      at::Tensor x = strided ? at::randn({3, 17, 5}).to(dtype).transpose(0, 1) : points().to(dtype);
      x = x.detach().requires_grad_();
      const at::Tensor dy = at::randn(x.sizes()).to(dtype);
      const at::Tensor y = graticule::gelu(x);
      const at::Tensor dx = torch::autograd::grad({y}, {x}, {dy})[0];
      const at::Tensor exact = at::gelu(wide(x));
      const double limit = dtype == at::kFloat ? 2e-6 : 4e-3;
      EXPECT_LT(((wide(y) - exact).abs() / (exact.abs() + 1e-30))
                    .masked_select(x.detach() > -5)
                    .max()
                    .item<double>(),
                limit);
      EXPECT_LT((wide(y) - exact).abs().max().item<double>(), limit * 14);
      EXPECT_LT((wide(dx) - at::gelu_backward(wide(dy), wide(x))).abs().max().item<double>(), limit * 5);
    }
  }
  const float infinity = std::numeric_limits<float>::infinity();
  const at::Tensor odd = graticule::gelu(at::tensor({0.0F, infinity, std::nanf(""), -3e38F}));
  EXPECT_EQ(odd[0].item<float>(), 0);
  EXPECT_EQ(odd[1].item<float>(), infinity);
  EXPECT_TRUE(std::isnan(odd[2].item<float>()));
  EXPECT_EQ(odd[3].item<float>(), 0);
}

TEST(RowKernels, EveryInstructionSetAgrees) {
  at::manual_seed(test_seed());
  const int64_t rows = 9, C = 37;
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    const at::Tensor x = at::randn({rows, C}).to(dtype), branch = at::randn({rows, C}).to(dtype),
                     weight = at::randn({C}).to(dtype), bias = at::randn({C}).to(dtype);
    std::vector<std::vector<at::Tensor>> results;
    for (const CpuLevel level : {CpuLevel::aten, CpuLevel::avx2, CpuLevel::avx512}) {
      if (!cpu_runs(level)) continue;
      const RowKernels& kernels = row_kernels(level);
      const at::Tensor sum = at::empty_like(x), normed = at::empty_like(x), dx = at::empty_like(x),
                       y = at::empty_like(x), dgelu = at::empty_like(x);
      const auto fp32 = at::TensorOptions(at::kFloat);
      const at::Tensor mean = at::randn({rows}, fp32), r = at::randn({rows}, fp32),
                       sums = at::randn({2, C}, fp32).zero_(), totals = x[0].to(at::kFloat, false, true);
      kernels.norm_forward(
          {row_element(x), C, 1e-5F, x.data_ptr(), branch.data_ptr(), sum.data_ptr(), normed.data_ptr(),
           weight.data_ptr(), bias.data_ptr(), mean.data_ptr<float>(), r.data_ptr<float>()},
          0, rows);
      kernels.norm_backward({row_element(x), C, sum.data_ptr(), branch.data_ptr(), x.data_ptr(),
                             dx.data_ptr(), weight.data_ptr(), mean.data_ptr<float>(), r.data_ptr<float>()},
                            0, rows, sums.data_ptr<float>());
      kernels.gelu_forward(row_element(x), x.data_ptr(), y.data_ptr(), 0, rows * C);
      kernels.gelu_backward(row_element(x), x.data_ptr(), branch.data_ptr(), dgelu.data_ptr(), 0, rows * C);
      kernels.sum_rows(row_element(x), x.data_ptr(), C, 1, rows, totals.data_ptr<float>());
      EXPECT_LT(error(totals, wide(x).sum(0)), 1e-6);
      results.push_back({sum, normed, dx, sums, y, dgelu});
    }
    const double limit = dtype == at::kFloat ? 2e-6 : 1e-2;
    for (const auto& result : results) {
      for (size_t i = 0; i < result.size(); ++i) {
        EXPECT_LT(error(result[i], wide(results[0][i])), limit) << i << " " << dtype;
      }
    }
  }
}

}  // namespace
}  // namespace graticule
