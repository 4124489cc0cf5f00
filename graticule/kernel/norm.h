// Layer norm, together with the sum of the residual stream before it: one pass forward, one backward.
//
// Legend: N any leading shape, C width.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace graticule {

struct NormedSum {
  at::Tensor sum_NC, normed_NC;
};

/// sum = x + branch, or x itself without a branch, and its layer norm over C:
///   normed = (sum - mean) / sqrt(variance + 1e-5) weight + bias
/// x [N.., C], branch [N.., C], weight [C] and bias [C] have one dtype. Differentiable in all of them; the
/// gradients of both results are added in one pass. Arithmetic is in fp32, and each result is rounded once.
/// On a CPU the bits of results and gradients do not depend on the number of threads.
NormedSum add_norm(const at::Tensor& x_NC, const std::optional<at::Tensor>& branch_NC,
                   const at::Tensor& weight_C, const at::Tensor& bias_C);

/// The layer norm of x alone.
at::Tensor layer_norm(const at::Tensor& x_NC, const at::Tensor& weight_C, const at::Tensor& bias_C);

}  // namespace graticule
