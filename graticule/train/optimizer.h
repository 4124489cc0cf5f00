// AdamW (arXiv 1711.05101) on the owned spans of the blocks, and the gradient norm over the whole model.
//
// Moments in bf16 are updated in fp32, a chunk at a time, and rounded up or down at random, with
// probabilities that keep them right in the mean: rounded to the nearest, a moment near its end would not
// move any more ((1 - beta2) of the way is less than half a step of bf16). The draw depends on seed, step,
// block and place in the block's flat buffer, so not on where a run was resumed, and on the layout only where
// the tensor axis cuts.
#pragma once

#include <ATen/core/Tensor.h>

#include "graticule/comm/group.h"
#include "graticule/parallel/chain.h"

namespace graticule {

struct AdamW {
  double beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8;
  double weight_decay = 0.01;  ///< only of parameters that say so
  uint64_t seed = 0;           ///< of the rounding of bf16 moments
};

/// The sum of squares of all gradients of the model, each parameter counted once (fp64 scalar on the chain's
/// device). Collective over the world.
at::Tensor gradient_square_sum(Chain& chain, const Group& world);

/// Multiplies the owned gradients by `scale` (a scalar tensor) and makes update number `step` (from 1) with
/// them. The weights in use follow.
void update(Chain& chain, const AdamW& adamw, double lr, const at::Tensor& scale, int64_t step);

}  // namespace graticule
