// AdamW (arXiv 1711.05101) on the owned spans of the blocks, and the gradient norm over the whole model.
#pragma once

#include "graticule/comm/group.h"
#include "graticule/parallel/chain.h"

namespace graticule {

struct AdamW {
  double beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8;
  double weight_decay = 0.01;  ///< only of parameters that say so
};

/// The sum of squares of all gradients, each parameter counted once. Collective over `replicas` when the
/// blocks are sharded.
double gradient_square_sum(Chain& chain, Shard level, const Group& replicas);

/// Multiplies the owned gradients by `scale` and makes update number `step` (from 1) with them. The blocks'
/// weights in use follow.
void update(Chain& chain, const AdamW& adamw, double lr, double scale, int64_t step);

}  // namespace graticule
