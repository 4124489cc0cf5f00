// A training step without data, for timing: a model on random tokens with random targets. It runs forward,
// backward and AdamW as training does. bench_step.cpp and calibrate.cpp use it.
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
  double count;  ///< number of values in the loss, over all ranks
  int64_t step = 0;

  /// Runs one training step. Collective.
  void run();
};

/// Builds the model. `shape` must have one variable and patches of one pixel, so a token is a pixel. Sets the
/// rank's threads. Collective.
RandomTokens random_tokens(Options options, const ModelShape& shape, const World& world);

}  // namespace graticule
