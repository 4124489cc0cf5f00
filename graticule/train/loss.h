// The weighted squared error of a step. A weight is that of the latitude times that of the variable
// (train.loss_weights). The sums are over all samples, variables and pixels, on all ranks.
//
//   loss = sum w (prediction - target)^2 / sum w
//
// A rank computes its own sum and its own weight. The division by the weight of all ranks is made once, at
// the update, so gradients are sums everywhere and never averages of averages. Both sums run tile by tile
// over the tokens, so they need no memory of the prediction's size.
//
// Legend: B samples, T this rank's tokens, K variables a token carries, P pixels of a patch.
#pragma once

#include <ATen/core/Tensor.h>

namespace graticule {

/// sum w (prediction - target)^2 over this rank's pixels: an fp32 scalar. Tiles are summed in fp32, their
/// sums in fp64. The arguments are fp32, of one shape with two or more dims, with any strides (a weight may
/// be expanded). Only the prediction has a derivative, 2 w (prediction - target). Not collective.
at::Tensor squared_error_sum(const at::Tensor& prediction_BTKP, const at::Tensor& target_BTKP,
                             const at::Tensor& weight_BTKP);

/// sum w, an fp64 scalar on the weight's device.
at::Tensor weight_sum(const at::Tensor& weight_BTKP);

}  // namespace graticule
