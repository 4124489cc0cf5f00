// What the rule train.on_bad does after a step whose loss or gradient is not finite. loop.cpp uses it.
#pragma once

#include <optional>

#include "graticule/comm/launch.h"
#include "graticule/train/run_log.h"
#include "graticule/train/step.h"

namespace graticule {

/// How often the rule was needed.
struct Recovered {
  int64_t in_a_row = 0;  ///< bad steps since the last good one
  int64_t rewinds = 0;   ///< since the last new checkpoint
};

/// Obeys the rule after the bad step `result`, which has updated nothing.
/// - stop: fails, and says where the numbers came from.
/// - skip: the samples of the step are passed over. Fails after 10 bad steps in a row.
/// - rewind: takes the weights and moments of the newest checkpoint; the samples up to here are passed over.
///   Fails without a checkpoint, and after 3 rewinds to the same one.
/// `log`: on rank 0 alone. Collective over the world.
void recover(Run& run, const World& world, const StepResult& result, Recovered& recovered,
             std::optional<RunLog>& log);

}  // namespace graticule
