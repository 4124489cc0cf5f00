// Checkpoints: RUN/checkpoints/step-N/ holds manifest.json and one safetensors file a rank.
//
// Each rank writes its spans of the weights and moments it shards, and the manifest says which parameters lie
// where (saved_weights.h), so any layout can read what another wrote. Written aside ("step-N.part"), synced,
// then renamed: a folder named step-N is whole. The manifest has each file's checksum, the resolved recipe
// and what the data were, so that a checkpoint knows what it means (same_meaning.h, same_data.h), and its
// parent. Which checkpoints make up a run: history.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "graticule/comm/launch.h"
#include "graticule/train/run.h"
#include "graticule/train/same_data.h"

namespace graticule {

/// What a checkpoint says of itself, without its tensors.
struct CheckpointInfo {
  std::string path;      ///< the folder
  int64_t step = 0;      ///< updates made
  int64_t position = 0;  ///< samples handed out
  Options options;       ///< of the run that wrote it, resolved
  Statistics statistics;
  std::optional<DataForm> data;  ///< absent in older checkpoints
};

/// Writes RUN/checkpoints/step-N of `run.step`, the child of `run.parent`, and becomes the parent of the
/// next. Then removes all of the line but the newest `run.options.run.keep`. Gives rank 0 what the user
/// should be told. Collective over the world.
std::vector<std::string> save_checkpoint(Run& run, const World& world);

/// Reads a manifest. Fails naming the file, and the entry, that is not as this version writes it.
CheckpointInfo read_checkpoint_info(const std::string& folder);

/// Fails naming the first file of the checkpoint that is missing or whose checksum differs, and the whole
/// checkpoint before it.
void verify_checkpoint(const CheckpointInfo& info);

/// Loads weights (and, with `moments`, the optimizer's state) into the run's chain. Refuses a checkpoint of
/// another model, naming the first parameter that differs. Local to the rank.
void load_checkpoint(const CheckpointInfo& info, Chain& chain, bool moments);

}  // namespace graticule
