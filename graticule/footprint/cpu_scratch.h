// The scratch memory that the CPU's kernels allocate, as an input of memory_of_step (step_memory.h).
#pragma once

#include "graticule/footprint/layer_memory.h"

namespace graticule {

/// The scratch of a run with these options. GPU: none. CPU: that of the kernels which meta tensors of this
/// thread stand for (kernel/stand_in.h), by default those of this processor. A dry run books the same.
Scratch scratch_of(const TrainOptions& train);

}  // namespace graticule
