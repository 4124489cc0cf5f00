// The run folder: recipe.toml, metrics.jsonl, checkpoints/, log.txt, statistics.json, lock.
#pragma once

#include <string>

#include "graticule/train/run_lock.h"

namespace graticule {

/// For rank 0: makes the folder, locks it for this job and checks that it can be written; completes what a
/// job that died had begun to leave (history.h). Refuses a folder in which another job trains, and one that
/// already holds checkpoints unless resuming.
RunLock prepare_run_folder(const std::string& folder, bool resuming);

/// Which checkpoint `resume` means: "" none, "auto" the newest of the run ("" when it has none), else that
/// folder.
std::string checkpoint_to_resume(const std::string& folder, const std::string& resume);

}  // namespace graticule
