// AdamW (arXiv 1711.05101) on the owned spans of the blocks, and the gradient norm over the whole model.
// step.cpp uses it.
//
// Moments in bf16 are updated in fp32, a chunk at a time. Then they are rounded up or down at random, so that
// the mean is right. Rounding to the nearest would stop a moment near its limit, because (1 - beta2) of the
// remaining way is less than half a step of bf16. The random numbers depend on seed, step, block and place in
// the block's flat buffer. So they do not depend on where a run was resumed, and on the layout only where the
// tensor axis cuts.
#pragma once

#include <ATen/core/Tensor.h>

#include "graticule/comm/group.h"
#include "graticule/parallel/chain.h"

namespace graticule {

struct AdamW {
  double beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8;
  double weight_decay = 0.01;  ///< only for parameters that are marked for decay
  uint64_t seed = 0;           ///< for the rounding of bf16 moments
};

/// The sum of squares of all gradients of the model, each parameter counted once: an fp64 scalar on the
/// chain's device. Collective over the world.
at::Tensor gradient_square_sum(Chain& chain, const Group& world);

/// Multiplies the owned gradients by `scale` (a scalar tensor) and makes update number `step` (from 1) of the
/// owned weights. The weights in use follow; gathering them makes this collective over the ranks that share
/// weights.
void update(Chain& chain, const AdamW& adamw, double lr, const at::Tensor& scale, int64_t step);

}  // namespace graticule
