// Tests the merge of two partial attentions over different keys.
#include "graticule/kernel/merge.h"

#include <ATen/ops/full_like.h>
#include <ATen/ops/isfinite.h>

#include <ATen/Context.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/randn_like.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/stack.h>
#include <gtest/gtest.h>

#include <limits>

#include "graticule/kernel/reference.h"

namespace graticule {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

FlashResult random_part(double offset) {
  return {at::randn({2, 5, 3, 4}), at::randn({2, 3, 5}) * 3 + offset};
}

FlashResult merged(const FlashResult& a, const FlashResult& b) {
  FlashResult total{a.out_BTHD.clone(), a.lse_BHT.clone()};
  merge_into(total, b);
  return total;
}

void expect_equal(const FlashResult& got, const FlashResult& expected) {
  EXPECT_TRUE(at::equal(got.out_BTHD, expected.out_BTHD));
  EXPECT_TRUE(at::equal(got.lse_BHT, expected.lse_BHT));
}

TEST(Merge, PartsOfTheKeysJoinIntoTheWhole) {
  at::manual_seed(1);
  const auto q = at::randn({2, 7, 4, 8}), k = at::randn({2, 11, 2, 8}), v = at::randn({2, 11, 2, 8});
  FlashResult joined = flash_forward(q, k.narrow(1, 0, 4), v.narrow(1, 0, 4));
  merge_into(joined, flash_forward(q, k.narrow(1, 4, 1), v.narrow(1, 4, 1)));
  joined = merged(flash_forward(q, k.narrow(1, 5, 6), v.narrow(1, 5, 6)), joined);
  const auto whole = reference_attention(q, k, v);
  EXPECT_TRUE(at::allclose(joined.out_BTHD.to(at::kDouble), whole.out_BTHD, 1e-5, 1e-6));
  EXPECT_TRUE(at::allclose(joined.lse_BHT.to(at::kDouble), whole.lse_BHT, 1e-5, 1e-6));
}

TEST(Merge, IsTheSoftmaxOverBothSides) {
  at::manual_seed(2);
  for (const double apart : {0., 1., -8., 30., 300.}) {
    const auto a = random_part(0), b = random_part(apart), got = merged(a, b);
    const auto lses = at::stack({a.lse_BHT, b.lse_BHT}).to(at::kDouble);
    const auto weights = at::softmax(lses, 0).transpose(2, 3).unsqueeze(4);
    const auto out = weights[0] * a.out_BTHD + weights[1] * b.out_BTHD;
    EXPECT_TRUE(at::allclose(got.out_BTHD.to(at::kDouble), out, 1e-5, 1e-6)) << apart;
    EXPECT_TRUE(at::allclose(got.lse_BHT.to(at::kDouble), at::logsumexp(lses, {0}), 1e-6, 1e-6)) << apart;
  }
}

TEST(Merge, HugeLogSumExpsTakeTheLargerSide) {
  at::manual_seed(3);
  for (const double huge : {3e4, 1e30, 3e38}) {
    const auto a = random_part(huge), b = random_part(-huge);
    expect_equal(merged(a, b), a);
    expect_equal(merged(b, a), a);
    const FlashResult same{b.out_BTHD, a.lse_BHT};
    EXPECT_TRUE(at::allclose(merged(a, same).out_BTHD, (a.out_BTHD + b.out_BTHD) / 2, 1e-5, 1e-6)) << huge;
    EXPECT_TRUE(at::isfinite(merged(a, same).lse_BHT).all().item<bool>()) << huge;
  }
}

TEST(Merge, ASideWithoutKeysLeavesTheOther) {
  at::manual_seed(4);
  for (const double offset : {0., 1e30, -1e30}) {
    const auto a = random_part(offset);
    const FlashResult none{at::randn_like(a.out_BTHD) * 1e4, at::full_like(a.lse_BHT, -infinity)};
    expect_equal(merged(a, none), a);
    expect_equal(merged(none, a), a);
  }
}

// Queries without keys beside queries with keys: the former stay without, and do not change the latter.
TEST(Merge, TwoSidesWithoutKeysHaveNone) {
  at::manual_seed(5);
  auto a = random_part(0), b = random_part(0);
  for (auto* side : {&a, &b}) {
    side->lse_BHT.narrow(2, 0, 2).fill_(-infinity);
    side->out_BTHD.narrow(1, 0, 2).zero_();
  }
  const auto got = merged(a, b);
  EXPECT_TRUE(at::equal(got.out_BTHD.narrow(1, 0, 2), a.out_BTHD.narrow(1, 0, 2)));
  EXPECT_TRUE(at::equal(got.lse_BHT.narrow(2, 0, 2), a.lse_BHT.narrow(2, 0, 2)));
  const FlashResult a_rest{a.out_BTHD.narrow(1, 2, 3), a.lse_BHT.narrow(2, 2, 3)};
  const FlashResult b_rest{b.out_BTHD.narrow(1, 2, 3), b.lse_BHT.narrow(2, 2, 3)};
  const auto rest = merged(a_rest, b_rest);
  EXPECT_TRUE(at::allclose(got.out_BTHD.narrow(1, 2, 3), rest.out_BTHD));
  EXPECT_TRUE(at::allclose(got.lse_BHT.narrow(2, 2, 3), rest.lse_BHT));
}

}  // namespace
}  // namespace graticule
