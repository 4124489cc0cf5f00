#include "bench/timing.h"

#include <ATen/ops/full.h>

#include <algorithm>
#include <chrono>

namespace graticule {

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double largest(double value, const Group& everyone) {
  return everyone.all_reduce(at::full({1}, value, at::kDouble), Reduction::max).wait().item<double>();
}

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double seconds_of_slowest(const std::function<void()>& work, const Group& everyone) {
  everyone.barrier();
  return largest(seconds_of(work), everyone);
}

}  // namespace graticule
