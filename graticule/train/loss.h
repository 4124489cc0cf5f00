// The latitude-weighted squared error.
//
//   loss = sum w (prediction - target)^2 / sum w     over all samples, variables and pixels of a step, on all
//   ranks
//
// A rank gives its own sum and its own weight; the division is made once, by the weight of all ranks, when
// the update is made: gradients are sums all the way, never averages of averages.
#pragma once

#include <ATen/ATen.h>

namespace graticule {

/// sum w (prediction - target)^2 over this rank's pixels; fp32 arguments of one shape.
at::Tensor squared_error_sum(const at::Tensor& prediction_BTKP, const at::Tensor& target_BTKP,
                             const at::Tensor& weight_BTKP);

}  // namespace graticule
