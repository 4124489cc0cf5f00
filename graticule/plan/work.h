// The matrix products that a rank executes in a training step, counted in floating-point operations. The time
// model (time.cpp) uses them. With activations = "keep" the sum over all ranks is the number of samples times
// flops(shape).step() (core/model_shape.h).
#pragma once

#include "graticule/recipe/passes.h"

namespace graticule {

/// Floating-point operations (a multiply and an add are two).
struct Work {
  double linear = 0;     ///< linear layers of blocks, tokenizer and head
  double attention = 0;  ///< the products of attention: scores and weighted sums
  Work operator+(const Work& other) const { return {linear + other.linear, attention + other.attention}; }
};

struct StepWork {
  Work forward, backward;
  Work again;  ///< forward work that backward repeats (activations other than "keep")
  Work all() const { return forward + backward + again; }
  StepWork operator+(const StepWork& other) const {
    return {forward + other.forward, backward + other.backward, again + other.again};
  }
};

/// The work of a part of the model on its rank (recipe/passes.h).
StepWork work_of_part(const Options& options, const ModelPart& part, const Axes& axes);

/// The work of `rank` in a step.
/// Precondition: trouble_with(axes, options, shape) (recipe/layout.h) is empty.
StepWork work_of_step(const Options& options, const ModelShape& shape, const Axes& axes, int rank);

}  // namespace graticule
