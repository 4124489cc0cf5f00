// Writes what a run folder says of its job, beside the files of training: machine.json when it starts, cost.json
// when it ends. `graticule report` shows both.
#pragma once

#include "graticule/comm/launch.h"
#include "graticule/core/trace.h"
#include "graticule/train/memory.h"
#include "graticule/train/run.h"

namespace graticule {

/// RUN/machine.json: the versions, the machine of rank 0, the ranks, and the sizes of the model.
void write_machine(const Run& run, const World& world);

/// RUN/cost.json: the seconds of rank 0 in each part of the code during `steps` steps, and the memory of the
/// fullest rank's tensors by account.
void write_cost(const Run& run, const Trace& trace, int64_t steps, const RankMemory& memory);

}  // namespace graticule
