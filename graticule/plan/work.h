// The matrix products that a rank executes in a training step, in floating-point operations. What all ranks
// of a layout that keeps its activations do together is flops(shape).step() of each sample (core/model_shape.h).
#pragma once

#include "graticule/recipe/share.h"

namespace graticule {

/// Floating-point operations (a multiply and an add are two).
struct Work {
  double linear = 0;     ///< linear layers of blocks, tokenizer and head
  double attention = 0;  ///< scores and weighted sums
  Work operator+(const Work& other) const { return {linear + other.linear, attention + other.attention}; }
};

struct StepWork {
  Work forward, backward;
  Work again;  ///< forwards that backward runs a second time
  Work all() const { return forward + backward + again; }
};

/// The work of `rank` in a step. The layout must be one that trouble_with (recipe/layout.h) finds nothing
/// wrong with.
StepWork work_of_step(const Options& options, const ModelShape& shape, const Axes& axes, int rank);

}  // namespace graticule
