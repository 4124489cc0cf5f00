// The choice between GPU kernels that compute the same attention in fp16 and bf16. Which one is the fastest depends on
// the device and on what else its owner has installed, so each is tried once. Legend: flash.h.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "graticule/kernel/flash.h"

namespace graticule {

/// A kernel. Its backward takes `out` and `lse` of more keys than k and v have (flash.h says why).
struct HalfKernel {
  std::string_view name;
  FlashResult (*forward)(const at::Tensor& q_BTHD, const at::Tensor& k_BSGD, const at::Tensor& v_BSGD,
                         double scale);
  FlashGradients (*backward)(const at::Tensor& dout_BTHD, const at::Tensor& q_BTHD, const at::Tensor& k_BSGD,
                             const at::Tensor& v_BSGD, const at::Tensor& out_BTHD, const at::Tensor& lse_BHT,
                             double scale);
};

/// The number of the fastest of some kernels, from the seconds of their trials: none for a kernel that cannot be used.
/// An earlier one is kept unless a later one takes at most 0.95 of its time. 0 if none can be used.
size_t fastest_of(const std::vector<std::optional<double>>& seconds);

/// Tries kernels on random numbers with the dtype, device, heads and width of q and k: a forward, and a backward over
/// half of the keys. A kernel that throws, or whose results differ from those of the first that works, cannot be used.
/// Returns the fastest.
const HalfKernel& fastest_kernel(std::span<const HalfKernel> kernels, const at::Tensor& q_BTHD,
                                 const at::Tensor& k_BSGD);

}  // namespace graticule
