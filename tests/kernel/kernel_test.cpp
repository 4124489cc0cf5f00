// Compares the attention kernels of every instruction set of this processor with the formula in fp64. Their
// error may not be larger than that of ATen's kernel (with a small margin).
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cstdlib>
#include <mutex>
#include <set>
#include <thread>

#include "graticule/kernel/flash_aten.h"
#include "graticule/kernel/flash_cpu.h"
#include "graticule/kernel/parallel_loop.h"
#include "graticule/kernel/reference.h"
#include "tests/cases.h"

namespace graticule {
namespace {

using cases::AttentionCase;

/// GRATICULE_TEST_BF16=1 also runs the bf16 products: some virtual machines hide an instruction that they
/// execute.
std::vector<const FlashTiles*> tiles_here(at::ScalarType dtype) {
  std::vector<const FlashTiles*> tiles;
  for (const auto level : {CpuLevel::avx2, CpuLevel::avx512}) {
    if (cpu_runs(level)) tiles.push_back(cpu_tiles(level));
  }
  const bool forced = std::getenv("GRATICULE_TEST_BF16") != nullptr;
  if (dtype == at::kBFloat16 && (forced || cpu_runs(CpuLevel::avx512_bf16))) {
    tiles.push_back(cpu_tiles(CpuLevel::avx512_bf16));
  }
  if (dtype == at::kBFloat16 && cpu_runs(CpuLevel::amx)) tiles.push_back(cpu_tiles(CpuLevel::amx));
  return tiles;
}

at::Tensor wide(const at::Tensor& x) { return x.to(at::kDouble); }

/// Root mean square of the difference over that of the exact value, or over `least` where that is larger.
double error(const at::Tensor& x, const at::Tensor& exact, double least = 1e-300) {
  const auto size = exact.square().mean().sqrt().item<double>();
  return (wide(x) - exact).square().mean().sqrt().item<double>() / std::max(size, least);
}

/// Where one key takes all the weight, dq and dk are (nearly) 0 and what is left is the rounding of terms of
/// this size.
double gradient_terms(const AttentionCase& c) {
  return c.keys == 1 || c.values == cases::Values::huge_scores ? 100 : 1e-300;
}

/// Where both are at the level of rounding, sums of another order are luckier or not: in fp32 half of ATen's
/// error and four roundings are allowed on top of it, in bf16 and fp16 a tenth of its error and of a
/// rounding.
double allowed(double aten, at::ScalarType dtype) {
  if (dtype == at::kFloat) return 1.5 * aten + 4 * 6e-8;
  return 1.1 * aten + 0.1 * (dtype == at::kHalf ? 4.9e-4 : 3.9e-3);
}

struct Exact {
  at::Tensor out, lse;
  std::vector<at::Tensor> gradients;
};

Exact exact_of(const cases::AttentionInputs& x, const AttentionCase& c,
               const std::optional<at::Tensor>& dlse = {}) {
  std::vector<at::Tensor> inputs{wide(x.q_BTHD), wide(x.k_BSGD), wide(x.v_BSGD)};
  for (auto& input : inputs) input.requires_grad_();
  const auto result = reference_attention(inputs[0], inputs[1], inputs[2], c.scale);
  const auto loss = (result.out_BTHD * wide(x.dout_BTHD)).sum() +
                    (dlse ? (result.lse_BHT * wide(*dlse)).sum() : at::zeros({}, at::kDouble));
  return {result.out_BTHD.detach(), result.lse_BHT.detach(), torch::autograd::grad({loss}, inputs)};
}

TEST(Kernel, ErrorIsNotLargerThanAtens) {
  at::manual_seed(4);
  for (const auto& c : cases::attention_cases()) {
    const auto x = cases::make_inputs(c);
    const double scale = c.scale.value_or(1 / std::sqrt(static_cast<double>(c.width)));
    const auto exact = exact_of(x, c);
    const auto aten = flash_aten_forward(x.q_BTHD, x.k_BSGD, x.v_BSGD, scale);
    const auto aten_gradients = flash_aten_backward(x.dout_BTHD, x.q_BTHD, x.k_BSGD, x.v_BSGD, aten.out_BTHD,
                                                    aten.lse_BHT, scale, std::nullopt);
    for (const auto* tiles : tiles_here(c.dtype)) {
      const bool flushes = tiles == cpu_tiles(CpuLevel::avx512_bf16) ||
                           tiles == cpu_tiles(CpuLevel::amx);  // their instructions take denormals for zeros
      if (flushes && c.values == cases::Values::denormal) continue;
      const auto ours = flash_cpu_forward(*tiles, x.q_BTHD, x.k_BSGD, x.v_BSGD, scale);
      const auto gradients = flash_cpu_backward(*tiles, x.dout_BTHD, x.q_BTHD, x.k_BSGD, x.v_BSGD,
                                                ours.out_BTHD, ours.lse_BHT, scale, std::nullopt);
      const auto check = [&](const char* name, const at::Tensor& a, const at::Tensor& b,
                             const at::Tensor& truth, double least = 1e-300) {
        EXPECT_EQ(a.sizes(), truth.sizes());
        const double theirs = error(b, truth, least);
        EXPECT_LE(error(a, truth, least), allowed(theirs, c.dtype))
            << name << ": " << c << ", ATen's " << theirs;
      };
      check("out", ours.out_BTHD, aten.out_BTHD, exact.out);
      const auto lse_error = [&](const at::Tensor& lse) {
        return (wide(lse) - exact.lse).abs().max().item<double>();
      };
      const double lse_rounding = 1.2e-7 * (4 + exact.lse.abs().max().item<double>());
      EXPECT_LE(lse_error(ours.lse_BHT), lse_error(aten.lse_BHT) + lse_rounding) << "lse: " << c;
      check("dq", gradients.dq_BTHD, aten_gradients.dq_BTHD, exact.gradients[0], gradient_terms(c));
      check("dk", gradients.dk_BSGD, aten_gradients.dk_BSGD, exact.gradients[1], gradient_terms(c));
      check("dv", gradients.dv_BSGD, aten_gradients.dv_BSGD, exact.gradients[2]);
    }
  }
}

TEST(Kernel, ThreadsShareOneHeadAndTheGradientOfTheLogSumExpCounts) {
  at::manual_seed(5);
  at::set_num_threads(3);
  for (const auto& c : {AttentionCase{1, 523, 401, 1, 1, 24}, AttentionCase{1, 300, 517, 4, 2, 40},
                        AttentionCase{2, 1, 3, 2, 1, 8}, AttentionCase{1, 200, 70, 6, 3, 64}}) {
    const auto x = cases::make_inputs(c);
    const auto dlse = at::randn({c.batch, c.heads, c.queries});
    const auto exact = exact_of(x, c, dlse);
    for (const auto* tiles : tiles_here(c.dtype)) {
      const double scale = 1 / std::sqrt(static_cast<double>(c.width));
      const auto run = [&] {
        const auto result = flash_cpu_forward(*tiles, x.q_BTHD, x.k_BSGD, x.v_BSGD, scale);
        const auto gradients = flash_cpu_backward(*tiles, x.dout_BTHD, x.q_BTHD, x.k_BSGD, x.v_BSGD,
                                                  result.out_BTHD, result.lse_BHT, scale, dlse);
        return std::vector<at::Tensor>{result.out_BTHD, gradients.dq_BTHD, gradients.dk_BSGD,
                                       gradients.dv_BSGD};
      };
      const auto first = run(), second = run();
      const std::vector<at::Tensor> truth{exact.out, exact.gradients[0], exact.gradients[1],
                                          exact.gradients[2]};
      for (size_t i = 0; i < truth.size(); ++i) {
        EXPECT_LT(error(first[i], truth[i]), 2e-6) << i << ": " << c;
        EXPECT_TRUE(at::equal(first[i], second[i])) << i << " differs from run to run: " << c;
      }
    }
  }
  at::set_num_threads(1);
}

TEST(Kernel, AddsKeyGradientsOverRangesOfQueries) {
  at::manual_seed(12);
  at::set_num_threads(2);
  for (const auto& c : {AttentionCase{1, 523, 401, 1, 1, 24}, AttentionCase{2, 300, 217, 4, 2, 40},
                        AttentionCase{1, 65, 1, 6, 3, 17}}) {
    const auto x = cases::make_inputs(c);
    const auto dlse = at::randn({c.batch, c.heads, c.queries});
    const auto exact = exact_of(x, c, dlse);
    const double scale = 1 / std::sqrt(static_cast<double>(c.width));
    for (const auto* tiles : tiles_here(c.dtype)) {
      const auto result = flash_cpu_forward(*tiles, x.q_BTHD, x.k_BSGD, x.v_BSGD, scale);
      for (const int64_t most : {int64_t{13}, int64_t{64}, int64_t{211}, c.queries - 1}) {
        const auto g = flash_cpu_backward(*tiles, x.dout_BTHD, x.q_BTHD, x.k_BSGD, x.v_BSGD, result.out_BTHD,
                                          result.lse_BHT, scale, dlse, std::nullopt, most);
        EXPECT_LT(error(g.dq_BTHD, exact.gradients[0]), 2e-6) << most << " at a time: " << c;
        EXPECT_LT(error(g.dk_BSGD, exact.gradients[1]), 2e-6) << most << " at a time: " << c;
        EXPECT_LT(error(g.dv_BSGD, exact.gradients[2]), 2e-6) << most << " at a time: " << c;
      }
    }
  }
  at::set_num_threads(1);
}

TEST(Kernel, TasksRunOnSeveralThreads) {
  at::set_num_threads(3);
  std::mutex lock;
  std::set<std::thread::id> threads;
  for_each_part(3, [&](int64_t, int64_t) {
    const std::lock_guard guard(lock);
    threads.insert(std::this_thread::get_id());
  });
  at::set_num_threads(1);
  EXPECT_EQ(threads.size(), 3u);
}

TEST(Kernel, NotANumberAndInfinityGiveWhatAtenGives) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float value : {std::nanf(""), infinity, -infinity}) {
    for (int which = 0; which < 3; ++which) {
      at::manual_seed(6);
      std::vector<at::Tensor> x{at::rand({1, 70, 2, 16}) + 0.1, at::rand({1, 130, 2, 16}) + 0.1,
                                at::randn({1, 130, 2, 16})};
      x[which][0][3][1][5] = value;
      const auto aten = flash_aten_forward(x[0], x[1], x[2], 0.25);
      for (const auto* tiles : tiles_here(at::kFloat)) {
        const auto ours = flash_cpu_forward(*tiles, x[0], x[1], x[2], 0.25);
        EXPECT_TRUE(at::allclose(ours.out_BTHD, aten.out_BTHD, 1e-4, 1e-5, true))
            << value << " in input " << which;
        flash_cpu_backward(*tiles, at::ones_like(x[0]), x[0], x[1], x[2], ours.out_BTHD, ours.lse_BHT, 0.25,
                           std::nullopt);
      }
    }
  }
}

TEST(Kernel, TheReferenceHasTheGradientsOfFiniteDifferences) {
  at::manual_seed(7);
  std::vector<at::Tensor> x{at::randn({1, 2, 2, 3}, at::kDouble), at::randn({1, 3, 1, 3}, at::kDouble),
                            at::randn({1, 3, 1, 3}, at::kDouble)};
  const auto dout = at::randn({1, 2, 2, 3}, at::kDouble), dlse = at::randn({1, 2, 2}, at::kDouble);
  const auto loss = [&] {
    const auto result = reference_attention(x[0], x[1], x[2]);
    return (result.out_BTHD * dout).sum() + (result.lse_BHT * dlse).sum();
  };
  for (auto& input : x) input.requires_grad_();
  const auto gradients = torch::autograd::grad({loss()}, x);
  for (auto& input : x) input.requires_grad_(false);
  for (size_t i = 0; i < x.size(); ++i) {
    auto* value = x[i].data_ptr<double>();
    for (int64_t j = 0; j < x[i].numel(); ++j) {
      const double kept = value[j], h = 1e-6;
      value[j] = kept + h;
      const double above = loss().item<double>();
      value[j] = kept - h;
      const double below = loss().item<double>();
      value[j] = kept;
      EXPECT_NEAR((above - below) / (2 * h), gradients[i].flatten()[j].item<double>(), 1e-8);
    }
  }
}

TEST(Kernel, IsDifferentiableThroughOutAndLogSumExp) {
  at::manual_seed(8);
  const AttentionCase c{2, 37, 53, 4, 2, 20};
  const auto x = cases::make_inputs(c);
  const auto dlse = at::randn({2, 4, 37});
  const auto exact = exact_of(x, c, dlse);
  std::vector<at::Tensor> inputs{x.q_BTHD, x.k_BSGD, x.v_BSGD};
  for (auto& input : inputs) input.requires_grad_();
  const auto result = flash_attention(inputs[0], inputs[1], inputs[2]);
  const auto both =
      torch::autograd::grad({result.out_BTHD, result.lse_BHT}, inputs, {x.dout_BTHD, dlse}, true);
  for (size_t i = 0; i < 3; ++i) EXPECT_LT(error(both[i], exact.gradients[i]), 2e-6) << i;
  const auto lse_only = torch::autograd::grad({result.lse_BHT}, inputs, {dlse}, true);
  const auto out_only = torch::autograd::grad({result.out_BTHD}, inputs, {x.dout_BTHD});
  for (size_t i = 0; i < 3; ++i) EXPECT_LT(error(lse_only[i] + out_only[i], exact.gradients[i]), 2e-6) << i;
}

TEST(Kernel, AtensBackwardTakesAGradientOfTheLogSumExpToo) {
  at::manual_seed(9);
  const AttentionCase c{1, 20, 30, 4, 2, 8};
  const auto x = cases::make_inputs(c);
  const auto dlse = at::randn({1, 4, 20});
  const auto exact = exact_of(x, c, dlse);
  const double scale = 1 / std::sqrt(8.0);
  const auto result = flash_aten_forward(x.q_BTHD, x.k_BSGD, x.v_BSGD, scale);
  const auto g = flash_aten_backward(x.dout_BTHD, x.q_BTHD, x.k_BSGD, x.v_BSGD, result.out_BTHD,
                                     result.lse_BHT, scale, dlse);
  EXPECT_LT(error(g.dq_BTHD, exact.gradients[0]), 2e-6);
  EXPECT_LT(error(g.dk_BSGD, exact.gradients[1]), 2e-6);
  EXPECT_LT(error(g.dv_BSGD, exact.gradients[2]), 2e-6);
}

// By our tiles and by ATen's kernel, which gets an out that has this delta.
TEST(Kernel, TakesDeltaInThePlaceOfOut) {
  at::manual_seed(13);
  for (const auto& c : {AttentionCase{1, 20, 30, 4, 2, 8}, AttentionCase{2, 70, 45, 3, 3, 24}}) {
    const auto x = cases::make_inputs(c);
    const auto exact = exact_of(x, c);
    const auto result = flash_forward(x.q_BTHD, x.k_BSGD, x.v_BSGD);
    const at::Tensor delta = flash_delta(x.dout_BTHD, result.out_BTHD);
    for (const FlashGradients& g :
         {flash_backward_by_delta(x.dout_BTHD, x.q_BTHD, x.k_BSGD, x.v_BSGD, delta, result.lse_BHT),
          flash_aten_backward(x.dout_BTHD, x.q_BTHD, x.k_BSGD, x.v_BSGD, out_of_delta(delta, x.dout_BTHD),
                              result.lse_BHT, 1 / std::sqrt(static_cast<double>(c.width)), std::nullopt)}) {
      EXPECT_LT(error(g.dq_BTHD, exact.gradients[0]), 2e-6) << c;
      EXPECT_LT(error(g.dk_BSGD, exact.gradients[1]), 2e-6) << c;
      EXPECT_LT(error(g.dv_BSGD, exact.gradients[2]), 2e-6) << c;
    }
  }
}

// delta = 0 without a dout; in bf16 an out as long as the real one at most, with delta to 3 digits.
TEST(Kernel, FindsAnOutForADelta) {
  at::manual_seed(14);
  const auto x = cases::make_inputs({2, 9, 9, 3, 3, 64, at::kBFloat16});
  x.dout_BTHD.select(1, 4).zero_();
  const at::Tensor delta = flash_delta(x.dout_BTHD, x.q_BTHD), out = out_of_delta(delta, x.dout_BTHD);
  const auto length = [](const at::Tensor& t) { return wide(t).square().sum({3}).sqrt(); };
  EXPECT_TRUE((length(out) <= 1.01 * length(x.q_BTHD)).all().item<bool>());
  EXPECT_LT(error(flash_delta(x.dout_BTHD, out), wide(delta)), 2e-3);
}

TEST(Kernel, WritesPartialResultsInFp32) {
  at::manual_seed(11);
  for (const auto dtype : {at::kBFloat16, at::kHalf}) {
    const auto x = cases::make_inputs({2, 70, 45, 4, 2, 24, dtype});
    const auto wide = flash_forward(x.q_BTHD, x.k_BSGD, x.v_BSGD, std::nullopt, at::kFloat);
    const auto result = flash_forward(x.q_BTHD, x.k_BSGD, x.v_BSGD);
    EXPECT_TRUE(at::equal(wide.out_BTHD.to(dtype), result.out_BTHD));
    const auto backward = [&](std::optional<at::ScalarType> as) {
      const auto g = flash_backward(x.dout_BTHD, x.q_BTHD, x.k_BSGD, x.v_BSGD, result.out_BTHD,
                                    result.lse_BHT, std::nullopt, std::nullopt, as);
      return std::vector<at::Tensor>{g.dq_BTHD, g.dk_BSGD, g.dv_BSGD};
    };
    const auto sums = backward(at::kFloat), gradients = backward(std::nullopt);
    for (size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(sums[i].scalar_type(), at::kFloat);
      EXPECT_TRUE(at::equal(sums[i].to(dtype), gradients[i]));
    }
  }
}

TEST(Kernel, OffsetsPassTwoToTheThirtyFirstElement) {
  constexpr int64_t tokens = 40, width = 16, stride = (int64_t{1} << 31) / (tokens - 1) + 1;
  const auto storage =
      at::empty({tokens * stride + width}, at::kBFloat16);  // only the pages of its 40 rows are touched
  const auto far = storage.as_strided({1, tokens, 1, width}, {0, stride, width, 1});
  at::manual_seed(10);
  const auto near = at::randn({1, tokens, 1, width}).to(at::kBFloat16);
  far.copy_(near);
  const auto a = flash_forward(far, far, far), b = flash_forward(near, near, near);
  EXPECT_TRUE(at::equal(a.out_BTHD, b.out_BTHD));
  const auto da = flash_backward(far, far, far, far, a.out_BTHD, a.lse_BHT);
  const auto db = flash_backward(near, near, near, near, b.out_BTHD, b.lse_BHT);
  EXPECT_TRUE(at::equal(da.dq_BTHD, db.dq_BTHD) && at::equal(da.dk_BSGD, db.dk_BSGD));
}

TEST(Kernel, RefusesBadInputBeforeAnyWork) {
  const auto heads = [](int64_t batch, int64_t tokens, int64_t count, int64_t width) {
    return at::zeros({batch, tokens, count, width});
  };
  const auto good = heads(1, 4, 2, 8);
  const auto refused = [](const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
    EXPECT_THROW(flash_forward(q, k, v), std::invalid_argument);
    EXPECT_THROW(flash_attention(q, k, v), std::invalid_argument);
  };
  refused(good[0], good, good);                                               // three axes
  refused(good, good, heads(1, 5, 2, 8));                                     // k and v differ
  refused(heads(2, 4, 2, 8), good, good);                                     // batch
  refused(heads(1, 4, 2, 9), good, good);                                     // width of q and k
  refused(heads(1, 4, 2, 0), heads(1, 4, 2, 0), heads(1, 4, 2, 0));           // width 0
  refused(heads(1, 4, 2, 257), heads(1, 4, 2, 257), heads(1, 4, 2, 257));     // width 257
  refused(heads(1, 4, 3, 8), good, good);                                     // 3 heads over 2
  refused(good, heads(1, 0, 2, 8), heads(1, 0, 2, 8));                        // no keys
  refused(good, good.to(at::kHalf), good.to(at::kHalf));                      // dtypes differ
  refused(good.to(at::kInt), good.to(at::kInt), good.to(at::kInt));           // integers
  refused(good.to(at::kDouble), good.to(at::kDouble), good.to(at::kDouble));  // fp64
  refused(good, good.to(at::kMeta), good);                                    // devices differ
  const auto result = flash_forward(good, good, good);
  const auto backward = [&](const at::Tensor& dout, const at::Tensor& lse) {
    flash_backward(dout, good, good, good, result.out_BTHD, lse);
  };
  EXPECT_NO_THROW(backward(good, result.lse_BHT));
  EXPECT_THROW(backward(heads(1, 5, 2, 8), result.lse_BHT), std::invalid_argument);
  EXPECT_THROW(backward(good, result.lse_BHT.to(at::kDouble)), std::invalid_argument);
  EXPECT_THROW(backward(good, result.lse_BHT.transpose(1, 2)), std::invalid_argument);
}

TEST(Kernel, EmptyBatchesAndMetaTensorsKeepTheirShapes) {
  const auto none = flash_forward(at::zeros({0, 4, 2, 8}), at::zeros({0, 3, 1, 8}), at::zeros({0, 3, 1, 8}));
  EXPECT_EQ(none.out_BTHD.sizes(), at::IntArrayRef({0, 4, 2, 8}));
  const auto meta = at::TensorOptions(at::kMeta).dtype(at::kBFloat16);
  auto q = at::empty({2, 5, 4, 8}, meta).requires_grad_();
  const auto k = at::empty({2, 3, 2, 8}, meta);
  const auto result = flash_attention(q, k, k);
  EXPECT_EQ(result.out_BTHD.scalar_type(), at::kBFloat16);
  EXPECT_EQ(result.lse_BHT.sizes(), at::IntArrayRef({2, 4, 5}));
  EXPECT_EQ(torch::autograd::grad({result.out_BTHD.sum()}, {q})[0].sizes(), q.sizes());
}

}  // namespace
}  // namespace graticule
