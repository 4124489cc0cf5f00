// A trained model brought back to life from its checkpoint, for eval and forecast.
#pragma once

#include <string>
#include <vector>

#include "graticule/comm/launch.h"
#include "graticule/train/checkpoint.h"

namespace graticule {

/// `checkpoint`: a checkpoint folder, or a run folder (its newest). `overrides`: section.key=value, such as
/// data.path or parallel.context; refuses those under which its weights would mean nothing, and other data
/// than it was trained on. The recipe's degrees are derived anew, since the number of ranks may differ.
/// Collective.
struct TrainedRun {
  CheckpointInfo info;
  Run run;
};
TrainedRun load_trained_run(const std::string& checkpoint, const std::vector<std::string>& overrides,
                            const World& world, const Group& everyone);

/// A checkpoint folder from what the user named; refuses a folder without one.
std::string find_checkpoint(const std::string& named);

}  // namespace graticule
