// The linear layer of every block: y = x W^T + b, by the fastest product this processor has.
// Legend: N any leading shape, I input width, O output width.
#pragma once

#include <ATen/ATen.h>

#include <optional>

namespace graticule {

/// x [N.., I], weight [O, I], bias [O] or nothing -> [N.., O] in the dtype of x. Differentiable:
/// dx = dy W, dW = dy^T x, db = sum of dy; sums run in fp32 whatever the dtype.
/// x, weight and bias share one dtype and device. Refuses mismatched shapes (std::invalid_argument).
at::Tensor linear(const at::Tensor& x, const at::Tensor& weight,
                  const std::optional<at::Tensor>& bias = std::nullopt);

}  // namespace graticule
