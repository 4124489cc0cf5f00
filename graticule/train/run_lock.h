// Locks a run folder, so that one job at a time trains in it. Two jobs would mix their metrics and remove
// each other's checkpoints.
#pragma once

#include <chrono>
#include <string>
#include <thread>

namespace graticule {

/// How a job shows that it lives, on a disk without file locks: it touches RUN/lock every `beat`. A job that has
/// not done so for `patience` counts as ended.
struct SignsOfLife {
  std::chrono::milliseconds beat{10'000}, patience{35'000};
};

/// Has RUN/lock locked as long as the object exists. The kernel releases the lock when the process ends, in
/// whatever way; the file that remains means nothing. On a disk without locks the time of the file tells: a new job
/// watches it for as long as `patience`, unless it was touched longer ago.
class RunLock {
 public:
  /// Refuses when another process has the lock; the message names its host and number. `locks`: false treats the
  /// disk as one without locks, for tests.
  explicit RunLock(const std::string& run_folder, bool locks = true, SignsOfLife signs = {});
  ~RunLock();
  RunLock(RunLock&& other) noexcept;
  RunLock& operator=(RunLock&&) = delete;

  /// False on a file system without locks.
  bool held() const { return held_; }

 private:
  int descriptor_;
  bool held_ = false;
  std::jthread beats_;  ///< touches the file on a disk without locks
};

}  // namespace graticule
