// Tests how parameters are cut over the tensor axis.

#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>

#include "graticule/parallel/parameters.h"

#include <gtest/gtest.h>

namespace graticule {
namespace {

TEST(Parameters, CutPartsComeFromTheWholeAndFillItAgain) {
  const Parameter whole{"weight", {11, 9}};
  const at::Tensor values = initial_values(whole, "blocks.1.weight", 5);
  const auto part = [&](int64_t dim, std::vector<Span> pieces) {
    Parameter parameter = whole;
    parameter.cut = Cut{dim, std::move(pieces)};
    return parameter;
  };
  const std::vector<std::vector<Parameter>> covers = {
      {part(0, {{0, 3}, {7, 7}, {8, 11}}), part(0, {{3, 8}})},
      {part(1, {{0, 0}}), part(1, {{0, 4}}), part(1, {{4, 9}})},
      {whole}};
  for (const auto& cover : covers) {
    at::Tensor filled = at::full({11, 9}, 7.0);
    int64_t elements = 0;
    for (const Parameter& parameter : cover) {
      const at::Tensor local = initial_values(parameter, "blocks.1.weight", 5);
      EXPECT_EQ(local.sizes(), at::IntArrayRef(parameter.local_shape()));
      EXPECT_EQ(local.numel(), parameter.numel());
      EXPECT_TRUE(at::equal(local, cut_of(parameter, values)));
      place(parameter, local, filled);
      elements += parameter.numel();
    }
    EXPECT_EQ(elements, 99);
    EXPECT_TRUE(at::equal(filled, values));
  }
}

}  // namespace
}  // namespace graticule
