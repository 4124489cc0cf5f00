// Loads a trained model from its checkpoint, for eval and forecast.
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

#include "graticule/comm/launch.h"
#include "graticule/train/checkpoint.h"

namespace graticule {

/// Loads `checkpoint`: a checkpoint folder, or a run folder (then its newest). `overrides`:
/// section.key=value, such as data.path or parallel.context. The layout is derived anew, because the number
/// of ranks may differ; only parallel.shard is kept. `taken`: weights or raw_weights. Refuses overrides that
/// change the meaning of the weights, data on another grid or in other units, and a damaged checkpoint.
/// Collective over `everyone`.
struct TrainedRun {
  CheckpointInfo info;
  Run run;
};
TrainedRun load_trained_run(const std::string& checkpoint, const std::vector<std::string>& overrides,
                            Taken taken, const World& world, const Group& everyone);

/// Adds the flag --raw-weights, and what it means: a run with train.ema is used with the average of its
/// weights, unless the flag asks for the weights themselves.
void add_raw_weights(CLI::App& command, bool& raw);
Taken taken_weights(bool raw);

/// The checkpoint folder that the user means: `named` itself, or the newest of the run `named`. Refuses a
/// folder without one.
std::string find_checkpoint(const std::string& named);

}  // namespace graticule
