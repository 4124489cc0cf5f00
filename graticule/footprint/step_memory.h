// The tensors that a rank holds at the peak of a training step, by account, in closed form (docs/planner.md).
// The planner uses it for thousands of layouts. A dry run (dry/dry_run.h) measures the same by executing
// the program; a test compares the two (each within 10 %, the median within 3 %).
#pragma once

#include "graticule/footprint/layer_memory.h"

namespace graticule {

/// Bytes by account on `rank`, at the peak of the second step and of all later ones: gradients and weights of
/// the step before exist there. `scratch`: that of the kernels that will run (cpu_scratch.h); default: a GPU.
/// Precondition: trouble_with(axes, options, shape) (recipe/layout.h) is empty.
Booked memory_of_step(const Options& options, const ModelShape& shape, const Axes& axes, int rank,
                      const Scratch& scratch = {});

}  // namespace graticule
