// Writes checkpoints while training goes on. checkpoint.h says what a checkpoint is; loop.cpp uses this, and
// save_checkpoint is begin() and finish() at once.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "graticule/comm/launch.h"
#include "graticule/train/background_file.h"

namespace graticule {

class CheckpointWriter {
 public:
  /// `memory`: bytes that a rank may use for the copy of what it writes. What does not fit is written before the
  /// next update of the weights.
  CheckpointWriter(const World& world, int64_t memory);
  ~CheckpointWriter();
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;

  /// Starts the checkpoint of the run's present step. None may be under way: call finish() before. `goes_on`:
  /// training goes on before finish(); if not, nothing is copied. Fails when a disk refuses. Collective over the
  /// world.
  void begin(Run& run, bool goes_on = true);
  /// Whether a checkpoint was begun and not finished. The same on all ranks.
  bool under_way() const { return file_ != nullptr; }
  /// Waits until this rank's weights, moments and averages may be changed. Local to the rank.
  void wait_copied();
  /// Whether all ranks have written their files, so that finish() does not wait. Collective.
  bool all_written(const Run& run) const;
  /// Waits for the files of all ranks and makes the checkpoint valid: manifest, place in the line, run.parent.
  /// Then removes old checkpoints (save_checkpoint in checkpoint.h). Returns on rank 0 sentences for the user, the
  /// first about the checkpoint. On an error, the unfinished folder is removed. Collective.
  std::vector<std::string> finish(Run& run);

 private:
  using Clock = std::chrono::steady_clock;

  World world_;
  int64_t memory_;
  std::string aside_;                     ///< folder of the checkpoint under way
  int64_t step_ = 0, bytes_ = 0;          ///< of it
  std::unique_ptr<nlohmann::json> head_;  ///< its manifest without files
  std::unique_ptr<BackgroundFile> file_;
  Clock::time_point begun_;
  double waited_ = 0;  ///< seconds that this rank's training waited for it
};

}  // namespace graticule
