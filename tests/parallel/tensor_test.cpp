// Tests linear layers over the tensor axis: outputs and gradients of one rank, bytes of the closed form.
// Legend: graticule/parallel/tensor.h; S all tokens.

#include "graticule/parallel/tensor.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <numeric>
#include <random>

#include "tests/ranks.h"
#include "tests/seed.h"

namespace graticule {
namespace {

struct Case {
  std::vector<int64_t> tokens_of;  ///< one entry a rank
  int64_t batch, in, hidden, out;
  bool bias, deferred;
  int64_t tokens() const { return std::accumulate(tokens_of.begin(), tokens_of.end(), int64_t{0}); }
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << "tokens " << at::IntArrayRef(c.tokens_of) << ", B " << c.batch << ", widths " << c.in << " "
             << c.hidden << " " << c.out << ", bias " << c.bias << ", deferred " << c.deferred;
}

/// The pair column, tanh, row: whole tensors.
struct Pair {
  at::Tensor x_BSC, weight1, bias1, weight2, bias2, dy_BSC;
};

struct Result {
  at::Tensor y, dx, dweight1, dbias1, dweight2, dbias2;
};

Pair random_pair(const Case& c, uint64_t seed) {
  auto generator = at::detail::createCPUGenerator(seed);
  const auto draw = [&](at::IntArrayRef sizes) { return at::randn(sizes, generator, at::kFloat); };
  return {draw({c.batch, c.tokens(), c.in}), draw({c.hidden, c.in}), draw({c.hidden}),
          draw({c.out, c.hidden}),           draw({c.out}),          draw({c.batch, c.tokens(), c.out})};
}

Result run(const TensorLayers& layers, const Case& c, const Pair& pair) {
  const auto before = layers.tokens_of.begin();
  const int64_t first = std::accumulate(before, before + layers.group.rank(), int64_t{0});
  const int64_t count = layers.tokens_of[static_cast<size_t>(layers.group.rank())];
  const Span mine = share_of(layers, c.hidden);
  const auto leaf = [](const at::Tensor& x) { return x.clone().requires_grad_(); };
  const at::Tensor x = leaf(pair.x_BSC.narrow(1, first, count)),
                   weight1 = leaf(pair.weight1.narrow(0, mine.begin, mine.size())),
                   bias1 = leaf(pair.bias1.narrow(0, mine.begin, mine.size())),
                   weight2 = leaf(pair.weight2.narrow(1, mine.begin, mine.size())), bias2 = leaf(pair.bias2);
  const auto optional = [&](const at::Tensor& bias) { return c.bias ? std::optional(bias) : std::nullopt; };
  const auto deferred = c.deferred ? std::make_shared<DeferredGradients>() : nullptr;
  const at::Tensor hidden = at::tanh(column_linear(layers, x, weight1, optional(bias1), deferred));
  EXPECT_EQ(hidden.sizes(), at::IntArrayRef({c.batch, c.tokens(), mine.size()}));
  const at::Tensor y = row_linear(layers, hidden, weight2, optional(bias2), deferred);
  torch::autograd::backward({y}, {pair.dy_BSC.narrow(1, first, count)});
  const at::Tensor dx = x.grad().clone();
  if (deferred) {
    for (const auto& waiting : {weight1, bias1, weight2, bias2}) EXPECT_FALSE(waiting.grad().defined());
    deferred->run();
  }
  return {y.detach(), dx, weight1.grad(), bias1.grad(), weight2.grad(), bias2.grad()};
}

void expect_close(const at::Tensor& x, const at::Tensor& expected, const char* name) {
  ASSERT_EQ(x.sizes(), expected.sizes()) << name;
  const double error = (x - expected).abs().max().item<double>() / expected.abs().max().item<double>();
  EXPECT_LT(error, 1e-5) << name;
}

void expect_equal_to_one_rank(const Case& c, uint64_t seed) {
  SCOPED_TRACE(::testing::Message() << c << ", seed " << seed);
  const Pair pair = random_pair(c, seed);
  const Result one = run({Group(), {c.tokens()}}, c, pair);
  const auto ranks = c.tokens_of.size();
  std::vector<Result> of(ranks);
  run_ranks(static_cast<int>(ranks), [&](const World& world) {
    const TensorLayers layers{group_of_all(world), c.tokens_of};
    const auto rank = static_cast<size_t>(world.rank);
    of[rank] = run(layers, c, pair);
    const int64_t others = c.tokens() - c.tokens_of[rank], P = world.size, t = c.tokens_of[rank];
    const int64_t row = c.batch * int64_t{sizeof(float)};
    const int64_t forward = row * (t * (P - 1) * c.in + others * c.out);
    const int64_t backward = row * (t * (P - 1) * (c.out + c.in) + others * c.in);
    EXPECT_EQ(layers.group.traffic().bytes_sent, forward + backward) << "rank " << rank;
  });
  const auto all = [&](at::Tensor Result::*part, int64_t dim) {
    std::vector<at::Tensor> parts;
    for (const Result& result : of) parts.push_back(result.*part);
    return at::cat(parts, dim);
  };
  expect_close(all(&Result::y, 1), one.y, "y");
  expect_close(all(&Result::dx, 1), one.dx, "dx");
  expect_close(all(&Result::dweight1, 0), one.dweight1, "weight of column");
  expect_close(all(&Result::dweight2, 1), one.dweight2, "weight of row");
  if (!c.bias) return;
  expect_close(all(&Result::dbias1, 0), one.dbias1, "bias of column");
  at::Tensor sum = at::zeros_like(one.dbias2);
  for (const Result& result : of) sum += result.dbias2;
  expect_close(sum, one.dbias2, "bias of row, summed over the ranks");
}

TEST(Tensor, ColumnAndRowEqualOneRankAtAwkwardSizes) {
  for (const bool deferred : {false, true}) {
    const Case cases[] = {
        {{3, 2}, 1, 7, 9, 5, true, deferred},
        {{2, 2, 1}, 2, 5, 11, 7, true, deferred},
        {{1, 0, 1}, 3, 8, 4, 8, true, deferred},
        {{0, 5}, 1, 6, 3, 2, false, deferred},
        {{501, 502}, 1, 35, 47, 33, true, deferred},
        {{4, 1, 3}, 2, 4, 2, 6, true, deferred},
        {{334, 333, 336}, 1, 21, 50, 21, false, deferred},
    };
    for (const Case& c : cases) expect_equal_to_one_rank(c, 1);
  }
}

TEST(Tensor, ColumnAndRowEqualOneRankAtRandomSizes) {
  const auto seed = test_seed();
  std::mt19937_64 random(seed);
  const auto draw = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  for (uint64_t i = 0; i < 12; ++i) {
    Case c{{}, draw(1, 3), draw(1, 40), draw(1, 60), draw(1, 40), draw(0, 1) == 1, draw(0, 1) == 1};
    for (int64_t ranks = draw(2, 4); ranks > 0; --ranks) c.tokens_of.push_back(draw(0, 30));
    c.tokens_of.back() += 1;
    expect_equal_to_one_rank(c, seed + i);
  }
}

TEST(Tensor, HalfTypesKeepTheirDtypeAndSumInFp32) {
  const Case c{{20, 13, 8}, 1, 40, 70, 24, true, false};
  const Pair pair = random_pair(c, 5);
  const at::Tensor exact =
      at::linear(at::linear(pair.x_BSC, pair.weight1, pair.bias1), pair.weight2, pair.bias2);
  std::vector<at::Tensor> parts(3);
  run_ranks(3, [&](const World& world) {
    const TensorLayers layers{group_of_all(world), c.tokens_of};
    const Span mine = share_of(layers, c.hidden);
    const auto half = [](const at::Tensor& x) { return x.to(at::kBFloat16); };
    const int64_t first = std::vector<int64_t>{0, 20, 33}[static_cast<size_t>(world.rank)];
    const at::Tensor hidden =
        column_linear(layers, half(pair.x_BSC.narrow(1, first, c.tokens_of[static_cast<size_t>(world.rank)])),
                      half(pair.weight1.narrow(0, mine.begin, mine.size())),
                      half(pair.bias1.narrow(0, mine.begin, mine.size())));
    parts[static_cast<size_t>(world.rank)] =
        row_linear(layers, hidden, half(pair.weight2.narrow(1, mine.begin, mine.size())), half(pair.bias2));
  });
  const at::Tensor y = at::cat(parts, 1);
  EXPECT_EQ(y.scalar_type(), at::kBFloat16);
  EXPECT_LT((y.to(at::kFloat) - exact).abs().max().item<double>() / exact.abs().max().item<double>(), 1e-2);
}

}  // namespace
}  // namespace graticule
