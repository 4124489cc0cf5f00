// The plain formula of attention in fp64, with which tests compare every kernel. It allocates the T x S
// matrix, so use it for small cases only. Legend: flash.h.
#pragma once

#include <ATen/core/Tensor.h>

#include "graticule/kernel/flash.h"

namespace graticule {

/// softmax(scale q k^T) v in fp64 by differentiable ATen operations, so autograd gives its exact gradients.
/// Returns out [B, T, H, D] and lse [B, H, T], both fp64 for every dtype of the inputs.
FlashResult reference_attention(const at::Tensor& q_BTHD, const at::Tensor& k_BSGD, const at::Tensor& v_BSGD,
                                std::optional<double> scale = std::nullopt);

}  // namespace graticule
