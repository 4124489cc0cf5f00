// The forward and backward of a step's micro-batches: over one step of the forecast, or over train.rollout
// steps in which the model reads its own forecasts.
//
// Step k (from 0) turns the input x_k into a prediction d_k. Its state part is s_0 = the data, and then
//
//   s_(k+1) = s_k + u d_k   or   u d_k        (predict = "difference", "state"; u: Batch::unit_BTKP)
//
// for targets. Other variables are read from the data at their times. The loss is the sum of the squared
// errors of all steps, in the unit of the prediction: sum_k w_k (s_(k+1) - t_(k+1))^2 / u^2, t the data.
//
// First all steps but the last run forward, and only their states are kept. Then each step, the last first,
// runs forward again and backward, so that the activations of one step exist at a time. Its loss is its own
// squared error plus <g, s_(k+1)>, g the gradient of the later steps by that state; so its backward gives the
// gradient of all steps.
//
// Legend: B samples, T this rank's tokens, K variables a token carries, P pixels of a patch, I input values
// (the states that the model reads, the present one first).
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "graticule/data/loader.h"
#include "graticule/parallel/chain.h"
#include "graticule/recipe/options.h"

namespace graticule {

/// Adds the gradients of all micro-batches to the chain's parts; call finish_reduce() afterwards. `parts`:
/// the micro-batches, on the chain's device. Returns the sum of squared errors: a scalar on the device, 0 on
/// all stages but the last. Collective, as Chain::train.
at::Tensor train_forecast(Chain& chain, const std::vector<Batch>& parts, const Options& options);

/// The sum of the weights of all steps of a batch: an fp64 scalar.
at::Tensor weight_of_steps(const Batch& batch);

}  // namespace graticule
