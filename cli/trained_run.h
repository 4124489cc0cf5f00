// Loads a trained model from its checkpoint, for eval, forecast and predict.
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

#include "graticule/comm/launch.h"
#include "graticule/train/build.h"
#include "graticule/train/checkpoint.h"

namespace graticule {

/// What a command line says of the run that it uses.
struct TrainedRunChoice {
  std::string checkpoint;        ///< a checkpoint folder, or a run folder (then its newest)
  std::vector<std::string> set;  ///< section.key=value, such as data.path or parallel.context
  bool raw_weights = false;
  bool tiles = false;  ///< whole images by tiles of the size that the run was trained on
};

struct TrainedRun {
  CheckpointInfo info;
  Run run;
};
/// Loads the run. The layout is derived anew, because the number of ranks may differ; only parallel.shard is kept.
/// Refuses overrides that change the meaning of the weights, data of another extent (train/other_grid.h) or in other
/// units, and a damaged checkpoint. Collective over `everyone`.
TrainedRun load_trained_run(const TrainedRunChoice& choice, const World& world, const Group& everyone);
/// Its data and its model, without weights, for so many ranks. `notes`: what the user should know of them. Local.
Problem trained_problem(const CheckpointInfo& info, const TrainedRunChoice& choice, int ranks,
                        std::vector<std::string>& notes);

/// Adds `checkpoint`, --set and --raw-weights.
void add_trained_run(CLI::App& command, TrainedRunChoice& choice);
/// The flag --tiles.
void add_tiles(CLI::App& command, bool& tiles);
/// The first of add_trained_run.
void add_checkpoint(CLI::App& command, std::string& checkpoint);
/// The flag --raw-weights, and what it means: a run with train.ema is used with the average of its weights, unless
/// the flag asks for the weights themselves.
void add_raw_weights(CLI::App& command, bool& raw);
Taken taken_weights(bool raw);

/// The checkpoint folder that the user means: `named` itself, or the newest of the run `named`. Refuses a
/// folder without one.
std::string find_checkpoint(const std::string& named);

}  // namespace graticule
