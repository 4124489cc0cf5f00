// One training step: micro-batches forward and backward, one reduction, one clip, one update.
#pragma once

#include "graticule/train/run.h"

namespace graticule {

struct StepResult {
  double loss = 0;           ///< normalised by the global weight
  double gradient_norm = 0;  ///< of the normalised loss, before clipping
  double lr = 0;
  bool stop = false;  ///< some rank asked to stop
};

/// Collective over the world. `stop`: this rank wants the run to end after this step.
StepResult train_step(Run& run, bool stop);

}  // namespace graticule
