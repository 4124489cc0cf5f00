// What the kernels of a processor allocate for themselves, for counting the memory of a run on it.
#pragma once

#include "graticule/footprint/layer_memory.h"

namespace graticule {

/// Nothing for a run on GPUs; for one on CPUs what meta tensors here stand for (kernel/stand_in.h),
/// which is this processor where nothing else is said. So it is in a dry run.
Scratch scratch_of(const TrainOptions& train);

}  // namespace graticule
