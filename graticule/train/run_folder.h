// Prepares the run folder: recipe.toml, metrics.jsonl, checkpoints/, log.txt, statistics.json, lock,
// TensorBoard events.
#pragma once

#include <string>

#include "graticule/train/run_lock.h"

namespace graticule {

/// Makes the folder, locks it for this job, checks that it can be written, and completes what a job that died
/// had begun to move (history.h). Refuses a folder in which another job trains, and one that contains
/// checkpoints unless `resuming`. Only rank 0 calls it.
RunLock prepare_run_folder(const std::string& folder, bool resuming);

/// The checkpoint that --resume means: "" none; "auto" the newest of the run ("" when it has none); else that
/// folder.
std::string checkpoint_to_resume(const std::string& folder, const std::string& resume);

}  // namespace graticule
