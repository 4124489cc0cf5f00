// The sums run block by block, so that the fp32 sums stay in the nearest cache and need no memory of their
// own. This file is compiled with vectorised loops and with OpenMP (graticule/CMakeLists.txt).
#include "graticule/comm/sum.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/record_function.h>

#include <algorithm>
#include <array>

namespace graticule {
namespace {

constexpr int64_t loop_block = 2048, tensor_block = 64 * 1024;

/// Writes sum[begin, end) of fp32 or bf16 parts.
template <class In, class Out>
void sum_span(const std::vector<const In*>& parts, Out* sum, int64_t begin, int64_t end) {
  std::array<float, loop_block> total;
  for (int64_t at = begin; at < end; at += loop_block) {
    const int64_t n = std::min(loop_block, end - at);
    const In* const first = parts[0] + at;
    for (int64_t i = 0; i < n; ++i) total[i] = static_cast<float>(first[i]);
    for (size_t part = 1; part < parts.size(); ++part) {
      const In* const next = parts[part] + at;
      for (int64_t i = 0; i < n; ++i) total[i] += static_cast<float>(next[i]);
    }
    Out* const out = sum + at;
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<Out>(total[i]);
  }
}

template <class In, class Out>
void sum_loops(const std::vector<at::Tensor>& parts, const at::Tensor& sum) {
  std::vector<const In*> from;
  for (const at::Tensor& part : parts) from.push_back(part.const_data_ptr<In>());
  Out* const to = sum.data_ptr<Out>();
  at::parallel_for(0, sum.numel(), tensor_block,
                   [&](int64_t begin, int64_t end) { sum_span<In, Out>(from, to, begin, end); });
}

void sum_tensors(const std::vector<at::Tensor>& parts, const at::Tensor& sum) {
  const at::ScalarType wide = is_half(parts[0].scalar_type()) ? at::kFloat : parts[0].scalar_type();
  for (int64_t begin = 0; begin < sum.numel(); begin += tensor_block) {
    const int64_t n = std::min(tensor_block, sum.numel() - begin);
    at::Tensor total = parts[0].narrow(0, begin, n).to(wide, /*non_blocking=*/false, /*copy=*/true);
    for (size_t part = 1; part < parts.size(); ++part) total.add_(parts[part].narrow(0, begin, n).to(wide));
    sum.narrow(0, begin, n).copy_(total);
  }
}

}  // namespace

bool is_half(at::ScalarType type) { return type == at::kBFloat16 || type == at::kHalf; }

at::Tensor sum_of_parts(const std::vector<at::Tensor>& parts, at::ScalarType result) {
  const at::ScalarType type = parts[0].scalar_type();
  at::Tensor sum = at::empty(parts[0].sizes(), parts[0].options().dtype(result));
  RECORD_FUNCTION("graticule::sum_of_parts", std::vector<c10::IValue>({parts, sum}));
  if (sum.is_meta()) return sum;
  const auto loops = [&](at::ScalarType in, at::ScalarType out) {
    return sum.is_cpu() && type == in && result == out;
  };
  if (loops(at::kFloat, at::kFloat)) {
    sum_loops<float, float>(parts, sum);
  } else if (loops(at::kBFloat16, at::kFloat)) {
    sum_loops<at::BFloat16, float>(parts, sum);
  } else if (loops(at::kBFloat16, at::kBFloat16)) {
    sum_loops<at::BFloat16, at::BFloat16>(parts, sum);
  } else {
    sum_tensors(parts, sum);
  }
  return sum;
}

}  // namespace graticule
