#include "graticule/train/run_folder.h"

#include <filesystem>
#include <fstream>

#include "graticule/core/error.h"

namespace graticule {

void prepare_run_folder(const std::string& folder, bool resuming) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    refuse("run", "run.out = '", folder, "' cannot be made: ", error.message(), "; choose another folder");
  if (!resuming && newest_checkpoint(folder)) {
    refuse("run", "'", folder,
           "' already holds a trained run: choose another run.out, or go on with --resume auto");
  }
  const std::string probe = folder + "/.writable";
  {
    std::ofstream file(probe);
    file << "1";
    file.close();
    if (!file)
      refuse("run", "'", folder, "' cannot be written to: choose another run.out, or free space on its disk");
  }
  std::filesystem::remove(probe, error);
  // A new run starts a new record; what an earlier one left without a checkpoint is not continued.
  if (!resuming) std::filesystem::remove(folder + "/metrics.jsonl", error);
}

std::optional<CheckpointInfo> checkpoint_to_resume(const std::string& folder, const std::string& resume) {
  if (resume.empty()) return std::nullopt;
  const std::optional<std::string> path = resume == "auto" ? newest_checkpoint(folder) : resume;
  if (!path) return std::nullopt;
  const CheckpointInfo info = read_checkpoint_info(*path);
  verify_checkpoint(info);
  return info;
}

void write_whole(const std::string& path, const std::string& content) {
  std::error_code error;  // what cannot be made cannot be written to either
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
  const std::string aside = path + ".part";
  std::ofstream file(aside);
  file << content;
  file.close();
  if (!file) fail("run", path, " cannot be written: is the disk full, or the folder read-only?");
  std::filesystem::rename(aside, path);
}

}  // namespace graticule
