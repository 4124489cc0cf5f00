#include "graticule/train/run_folder.h"

#include <filesystem>

#include "graticule/core/error.h"
#include "graticule/train/aside_file.h"
#include "graticule/train/history.h"

namespace graticule {

RunLock prepare_run_folder(const std::string& folder, bool resuming) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    refuse("run", "run.out = '", folder, "' cannot be made: ", error.message(), "; choose another folder");
  RunLock lock(folder);
  finish_leaving(folder);
  if (!resuming && newest_checkpoint(folder)) {
    refuse("run", "'", folder,
           "' already holds a trained run: choose another run.out, or go on with --resume auto");
  }
  refuse_unwritable(folder + "/metrics.jsonl", "run", "run.out");
  return lock;
}

std::string checkpoint_to_resume(const std::string& folder, const std::string& resume) {
  return resume == "auto" ? newest_checkpoint(folder).value_or("") : resume;
}

}  // namespace graticule
