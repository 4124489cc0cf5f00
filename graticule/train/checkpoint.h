// Writes and reads checkpoints: RUN/checkpoints/step-N/ contains manifest.json and one safetensors file for
// each rank.
//
// Each rank writes its spans of the weights, moments and averages. The manifest says which parameters are in
// which file (saved_weights.h), so any layout can read what another layout wrote. A checkpoint is written as
// "step-N.part", synced, then renamed: a folder named step-N is whole. The manifest also has each file's
// checksum, the resolved recipe and the form of the data, so that another recipe (same_meaning.h) or other
// data (same_data.h) can be refused, and the name of the parent: the checkpoint that training continued from.
// history.h says which checkpoints make up a run.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "graticule/comm/launch.h"
#include "graticule/train/run.h"
#include "graticule/train/same_data.h"
#include "graticule/train/saved_weights.h"

namespace graticule {

/// The contents of a manifest, without tensors.
struct CheckpointInfo {
  std::string path;      ///< the folder
  int64_t step = 0;      ///< updates made
  int64_t position = 0;  ///< samples handed out, over all ranks
  Options options;       ///< of the run that wrote it, resolved
  Statistics statistics;
  std::optional<DataForm> data;  ///< absent in older checkpoints
  std::string started_from;      ///< Run::started_from
  Validation validation;         ///< Run::validation
};

/// The version of the format that is written and read.
constexpr int checkpoint_format = 2;

/// Writes RUN/checkpoints/step-N for N = run.step, with `run.parent` as its parent, and sets `run.parent` to
/// it. Then removes all checkpoints of the run's line except the newest `run.options.run.keep` and the best, to
/// which RUN/checkpoints/best points (train.patience). Returns on rank 0 sentences for the user. Fails when a
/// disk refuses. Nothing goes on meanwhile: checkpoint_writer.h writes beside training. Collective over the world.
std::vector<std::string> save_checkpoint(Run& run, const World& world);

/// Reads a manifest. `folder` may be a link, such as RUN/checkpoints/best. Refuses a folder without one and
/// another format version. Fails on a damaged manifest, naming file and entry.
CheckpointInfo read_checkpoint_info(const std::string& folder);

/// Loads what is `taken` (read_weights in saved_weights.h) into the chain. Compares the checksums of the files
/// that it reads, and reads only those that have spans of this rank. Fails on the first file that is missing or
/// differs; the message also names the checkpoint to resume from instead, the one before. Refuses a checkpoint of
/// another model, naming the parameters that differ. Local to the rank.
void load_checkpoint(const CheckpointInfo& info, Chain& chain, Taken taken);

}  // namespace graticule
