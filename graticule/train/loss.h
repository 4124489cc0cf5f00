// The latitude-weighted squared error.
//
//   loss = sum w (prediction - target)^2 / sum w     over all samples, variables and pixels of a step, on all
//   ranks
//
// A rank gives its own sum and its own weight; the division is made once, by the weight of all ranks, when
// the update is made: gradients are sums all the way, never averages of averages. Both sums run tile by tile
// over the tokens, so that neither takes memory of the prediction's size.
#pragma once

#include <ATen/core/Tensor.h>

namespace graticule {

/// sum w (prediction - target)^2 over this rank's pixels, an fp32 scalar: tiles summed in fp32, their sums in
/// fp64. fp32 arguments of one shape, of two or more dims; any strides (a weight may be expanded). Derivative
/// by the prediction alone, 2 w (prediction - target).
at::Tensor squared_error_sum(const at::Tensor& prediction_BTKP, const at::Tensor& target_BTKP,
                             const at::Tensor& weight_BTKP);

/// sum w, an fp64 scalar on the weight's device.
at::Tensor weight_sum(const at::Tensor& weight_BTKP);

}  // namespace graticule
