#include "graticule/kernel/merge.h"

#include <ATen/Context.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/randn_like.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/stack.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "graticule/kernel/reference.h"

namespace graticule {
namespace {

FlashResult random_part(double offset) {
  return {at::randn({2, 5, 3, 4}), at::randn({2, 3, 5}) * 3 + offset};
}

TEST(Merge, PartsOfTheKeysJoinIntoTheWhole) {
  at::manual_seed(1);
  const auto q = at::randn({2, 7, 4, 8}), k = at::randn({2, 11, 2, 8}), v = at::randn({2, 11, 2, 8});
  FlashResult joined = flash_forward(q, k.narrow(1, 0, 4), v.narrow(1, 0, 4));
  joined = merge(joined, flash_forward(q, k.narrow(1, 4, 1), v.narrow(1, 4, 1)));
  joined = merge(flash_forward(q, k.narrow(1, 5, 6), v.narrow(1, 5, 6)), joined);
  const auto whole = reference_attention(q, k, v);
  EXPECT_TRUE(at::allclose(joined.out_BTHD.to(at::kDouble), whole.out_BTHD, 1e-5, 1e-6));
  EXPECT_TRUE(at::allclose(joined.lse_BHT.to(at::kDouble), whole.lse_BHT, 1e-5, 1e-6));
}

TEST(Merge, InPlaceIsTheSame) {
  at::manual_seed(3);
  const auto a = random_part(0), b = random_part(1), joined = merge(a, b);
  FlashResult total{a.out_BTHD.clone(), a.lse_BHT.clone()};
  merge_into(total, b);
  EXPECT_TRUE(at::allclose(total.out_BTHD, joined.out_BTHD, 1e-5, 1e-6));
  EXPECT_TRUE(at::equal(total.lse_BHT, joined.lse_BHT));
}

TEST(Merge, NeitherHugeNorMissingLogSumExpsOverflow) {
  auto a = random_part(3e4), b = random_part(-3e4);
  EXPECT_TRUE(at::equal(merge(a, b).out_BTHD, a.out_BTHD));
  EXPECT_TRUE(at::equal(merge(b, a).out_BTHD, a.out_BTHD));
  b.lse_BHT.fill_(-INFINITY);
  for (const auto& joined : {merge(a, b), merge(b, a)}) {
    EXPECT_TRUE(at::equal(joined.out_BTHD, a.out_BTHD));
    EXPECT_TRUE(at::equal(joined.lse_BHT, a.lse_BHT));
  }
}

TEST(Merge, GradientsAreThoseOfTheSoftmaxOverBoth) {
  at::manual_seed(2);
  auto a = random_part(0), b = random_part(1);
  std::vector<at::Tensor> inputs{a.out_BTHD, a.lse_BHT, b.out_BTHD, b.lse_BHT};
  for (auto& x : inputs) x.requires_grad_();
  const auto joined = merge(a, b);
  const auto dout = at::randn_like(joined.out_BTHD), dlse = at::randn_like(joined.lse_BHT);
  const auto ours = torch::autograd::grad({joined.out_BTHD, joined.lse_BHT}, inputs, {dout, dlse});

  std::vector<at::Tensor> wide;
  for (const auto& x : inputs) wide.push_back(x.detach().to(at::kDouble).requires_grad_());
  const auto weights = at::softmax(at::stack({wide[1], wide[3]}), 0).transpose(2, 3).unsqueeze(4);
  const auto out = weights[0] * wide[0] + weights[1] * wide[2];
  const auto lse = at::logsumexp(at::stack({wide[1], wide[3]}), {0});
  const auto exact = torch::autograd::grad({out, lse}, wide, {dout.to(at::kDouble), dlse.to(at::kDouble)});
  for (size_t i = 0; i < ours.size(); ++i)
    EXPECT_TRUE(at::allclose(ours[i].to(at::kDouble), exact[i], 1e-5, 1e-5)) << i;
}

TEST(Merge, RefusesPartsOfOtherShapes) {
  auto a = random_part(0), b = random_part(0);
  b.out_BTHD = b.out_BTHD.narrow(1, 0, 4);
  EXPECT_THROW(merge(a, b), std::invalid_argument);
}

}  // namespace
}  // namespace graticule
