// Checkpoints: RUN/checkpoints/step-N/ holds manifest.json and one safetensors file a rank.
//
// Each rank writes its spans of the weights and moments it shards, and the manifest says which parameters lie
// where (saved_weights.h), so any layout can read what another wrote. Written aside ("step-N.part"), synced,
// then renamed: a folder named step-N is whole. The manifest has each file's checksum.
#pragma once

#include <optional>
#include <string>

#include "graticule/comm/launch.h"
#include "graticule/train/run.h"

namespace graticule {

/// What a checkpoint says of itself, without its tensors.
struct CheckpointInfo {
  std::string path;      ///< the folder
  int64_t step = 0;      ///< updates made
  int64_t position = 0;  ///< samples handed out
  Options options;       ///< of the run that wrote it, resolved
  Statistics statistics;
};

/// Writes RUN/checkpoints/step-N of `run.step` and removes all but the newest `run.options.run.keep`.
/// Collective over the world.
void save_checkpoint(Run& run, const World& world);

/// Reads a manifest. Fails naming the folder when it is no whole checkpoint.
CheckpointInfo read_checkpoint_info(const std::string& folder);

/// Fails naming the first file of the checkpoint that is missing or whose checksum differs, and the whole
/// checkpoint before it.
void verify_checkpoint(const CheckpointInfo& info);

/// The newest checkpoint of a run folder; nothing when there is none.
std::optional<std::string> newest_checkpoint(const std::string& run_folder);

/// Loads weights (and, with `moments`, the optimizer's state) into the run's chain. Refuses a checkpoint of
/// another model, naming the first parameter that differs. Local to the rank.
void load_checkpoint(const CheckpointInfo& info, Chain& chain, bool moments);

}  // namespace graticule
