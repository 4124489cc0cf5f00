// The run folder: recipe.toml, metrics.jsonl, checkpoints/, log.txt, statistics.json.
#pragma once

#include <optional>
#include <string>

#include "graticule/train/checkpoint.h"
#include "graticule/train/options.h"

namespace graticule {

/// For rank 0: makes the folder and checks that it can be written. Refuses one that already holds checkpoints
/// unless resuming.
void prepare_run_folder(const std::string& folder, bool resuming);

/// Which checkpoint `resume` means: "" none, "auto" the newest of the run (none when it has none), else that
/// folder. Verified.
std::optional<CheckpointInfo> checkpoint_to_resume(const std::string& folder, const std::string& resume);

/// Writes `content` to `path` aside and renames it.
void write_whole(const std::string& path, const std::string& content);

}  // namespace graticule
