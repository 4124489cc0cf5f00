// One training step: micro-batches forward and backward, one reduction, one clip, one update.
#pragma once

#include <ATen/core/Tensor.h>

#include "graticule/train/run.h"

namespace graticule {

struct StepResult {
  double loss = 0;           ///< normalised by the global weight
  double gradient_norm = 0;  ///< of the normalised loss, before clipping
  double lr = 0;
  bool stop = false;  ///< some rank asked to stop
};

/// A step from its batch on: forward, backward, reduction, update number `update` (from 1). Gives squared
/// error, weight, wishes to stop and gradient norm (fp64, 4, on the chain's device); the host waits for
/// nothing, so it runs on meta tensors too. Collective over the world.
at::Tensor step_on(const Batch& batch, Chain& chain, const Mesh& mesh, const Options& options, int64_t update,
                   bool stop);

/// On the next batch in which a target has a value (others are passed over, and fail when a whole epoch is
/// so). Collective over the world. `stop`: this rank wants the run to end after this step.
StepResult train_step(Run& run, bool stop);

}  // namespace graticule
