// Tests the choice between kernels on the CPU, with kernels of which some are wrong. No GPU is needed.

#include "graticule/kernel/flash_choice.h"

#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

namespace graticule {
namespace {

FlashResult forward(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale) {
  return flash_forward(q, k, v, scale);
}

FlashGradients backward(const at::Tensor& dout, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                        const at::Tensor& out, const at::Tensor& lse, double scale) {
  return flash_backward(dout, q, k, v, out, lse, scale);
}

FlashResult refuses(const at::Tensor&, const at::Tensor&, const at::Tensor&, double) {
  throw std::runtime_error("not on this device");
}

FlashResult with_base_2(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale) {
  const FlashResult right = forward(q, k, v, scale);
  return {right.out_BTHD, right.lse_BHT / std::log(2)};
}

// Takes the keys of the call for all keys, so its gradients are wrong where `out` and `lse` are of more.
FlashGradients of_own_keys(const at::Tensor& dout, const at::Tensor& q, const at::Tensor& k,
                           const at::Tensor& v, const at::Tensor&, const at::Tensor&, double scale) {
  const FlashResult own = forward(q, k, v, scale);
  return backward(dout, q, k, v, own.out_BTHD, own.lse_BHT, scale);
}

FlashGradients of_nothing(const at::Tensor&, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          const at::Tensor&, const at::Tensor&, double) {
  return {q * NAN, k * NAN, v * NAN};
}

TEST(FlashChoice, TakesTheFastestAndKeepsTheFirstInATie) {
  EXPECT_EQ(fastest_of({2.0, 1.0}), 1);
  EXPECT_EQ(fastest_of({1.0, 0.97}), 0);
  EXPECT_EQ(fastest_of({1.0, 2.0, 0.5}), 2);
  EXPECT_EQ(fastest_of({std::nullopt, 3.0}), 1);
  EXPECT_EQ(fastest_of({1.0, std::nullopt}), 0);
  EXPECT_EQ(fastest_of({std::nullopt, std::nullopt}), 0);
}

TEST(FlashChoice, NeverTakesAKernelThatIsWrong) {
  const at::Tensor q = at::randn({2, 3, 4, 16}, at::kBFloat16), k = at::randn({2, 5, 2, 16}, at::kBFloat16);
  for (const HalfKernel& wrong :
       {HalfKernel{"refuses", refuses, backward}, HalfKernel{"base 2", with_base_2, backward},
        HalfKernel{"own keys", forward, of_own_keys}, HalfKernel{"nothing", forward, of_nothing}}) {
    const std::vector<HalfKernel> kernels = {{"right", forward, backward}, wrong};
    EXPECT_EQ(fastest_kernel(kernels, q, k).name, "right") << wrong.name;
  }
  const std::vector<HalfKernel> second = {{"refuses", refuses, backward}, {"right", forward, backward}};
  EXPECT_EQ(fastest_kernel(second, q, k).name, "right");
}

}  // namespace
}  // namespace graticule
