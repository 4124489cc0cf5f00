// A model on random tokens against random targets, for timing: forward, backward, AdamW, as in training.
#pragma once

#include <vector>

#include "graticule/comm/launch.h"
#include "graticule/comm/mesh.h"
#include "graticule/core/model_shape.h"
#include "graticule/parallel/chain.h"
#include "graticule/recipe/options.h"

namespace graticule {

struct RandomTokens {
  Mesh mesh;
  Chain chain;
  std::vector<MicroBatch> micro_batches;
  double count;  ///< values of the loss over all ranks
  int64_t step = 0;

  /// One training step.
  void run();
};

/// `shape` has one variable and patches of one pixel, so that a token is a pixel. Sets the rank's threads.
RandomTokens random_tokens(Options options, const ModelShape& shape, const World& world);

}  // namespace graticule
