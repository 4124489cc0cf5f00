#include "graticule/kernel/flash_choice.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/randn.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <limits>

namespace graticule {
namespace {

constexpr int64_t tokens = 4096;
constexpr int repeats = 3;

struct Inputs {
  at::Tensor q, k, v, dout;
  double scale;
};

// The numbers come from a generator of their own: the program's random numbers stay as they are.
Inputs inputs_like(const at::Tensor& q, const at::Tensor& k) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(1);
  const auto drawn = [&](int64_t heads) {
    return at::randn({1, tokens, heads, q.size(3)}, generator).to(q.options());
  };
  return {drawn(q.size(2)), drawn(k.size(2)), drawn(k.size(2)), drawn(q.size(2)),
          1 / std::sqrt(static_cast<double>(q.size(3)))};
}

struct Results {
  FlashResult forward;
  FlashGradients backward;
};

Results run(const HalfKernel& kernel, const Inputs& in) {
  Results results{kernel.forward(in.q, in.k, in.v, in.scale), {}};
  const auto& [out, lse] = results.forward;
  const auto half = [](const at::Tensor& x) { return x.narrow(1, 0, tokens / 2); };
  results.backward = kernel.backward(in.dout, in.q, half(in.k), half(in.v), out, lse, in.scale);
  return results;
}

// Waits for the device: a number cannot be read before it is computed.
void finish(const Results& results) { results.backward.dv_BSGD.sum().item<double>(); }

// NaN differs.
bool agree(const at::Tensor& a, const at::Tensor& b) {
  constexpr double rounding = 0.02;  // of bf16, in sums over thousands of tokens
  if (a.sizes() != b.sizes() || a.scalar_type() != b.scalar_type()) return false;
  const at::Tensor x = a.to(at::kDouble), y = b.to(at::kDouble);
  return (x - y).norm().item<double>() <= rounding * y.norm().item<double>();
}

bool agree(const Results& a, const Results& b) {
  const auto all = [](const Results& r) {
    return std::array{r.forward.out_BTHD, r.forward.lse_BHT, r.backward.dq_BTHD, r.backward.dk_BSGD,
                      r.backward.dv_BSGD};
  };
  const auto left = all(a), right = all(b);
  return std::equal(left.begin(), left.end(), right.begin(),
                    [](const at::Tensor& x, const at::Tensor& y) { return agree(x, y); });
}

double seconds_of(const HalfKernel& kernel, const Inputs& in) {
  double least = std::numeric_limits<double>::infinity();
  for (int i = 0; i < repeats; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    finish(run(kernel, in));
    least = std::min(least, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  return least;
}

}  // namespace

size_t fastest_of(const std::vector<std::optional<double>>& seconds) {
  constexpr double gain = 0.95;
  size_t best = 0;
  for (size_t i = 1; i < seconds.size(); ++i) {
    if (seconds[i] && (!seconds[best] || *seconds[i] <= gain * *seconds[best])) best = i;
  }
  return best;
}

const HalfKernel& fastest_kernel(std::span<const HalfKernel> kernels, const at::Tensor& q,
                                 const at::Tensor& k) {
  const Inputs in = inputs_like(q, k);
  std::optional<Results> reference;
  std::vector<std::optional<double>> seconds(kernels.size());
  for (size_t i = 0; i < kernels.size(); ++i) {
    try {
      const Results results = run(kernels[i], in);
      if (!reference) reference = results;
      if (agree(results, *reference)) seconds[i] = seconds_of(kernels[i], in);
    } catch (const std::exception&) {  // this kernel does not take these inputs on this device
    }
  }
  return kernels[fastest_of(seconds)];
}

}  // namespace graticule
