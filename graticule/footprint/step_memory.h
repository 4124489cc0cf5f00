// The tensors that a rank holds at the peak of a training step, by account, from sizes alone
// (docs/planner.md): what a dry run measures (dry/dry_run.h) without the program.
#pragma once

#include "graticule/footprint/layer_memory.h"

namespace graticule {

/// Of `rank`, from the second step on, when gradients and weights of the one before are there. The layout
/// must be one that trouble_with (recipe/layout.h) finds nothing wrong with. `scratch`: of the kernels that
/// will run.
Booked memory_of_step(const Options& options, const ModelShape& shape, const Axes& axes, int rank,
                      const Scratch& scratch = {});

}  // namespace graticule
