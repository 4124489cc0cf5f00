// What the kernels of this processor allocate for themselves, for counting the memory of a run on it.
#pragma once

#include "graticule/plan/layer_memory.h"

namespace graticule {

/// Nothing for a run on GPUs. A dry run counts the CPU's for every device.
Scratch scratch_of(const TrainOptions& train);

/// Of this processor, whatever the device.
Scratch cpu_scratch(Precision precision);

}  // namespace graticule
