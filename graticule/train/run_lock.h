// Locks a run folder, so that one job at a time trains in it. Two jobs would mix their metrics and remove
// each other's checkpoints.
#pragma once

#include <string>

namespace graticule {

/// Has RUN/lock locked as long as the object exists. The kernel releases the lock when the process ends, in
/// whatever way; the file that remains means nothing.
class RunLock {
 public:
  /// Refuses when another process has the lock; the message names its host and number.
  explicit RunLock(const std::string& run_folder);
  ~RunLock();
  RunLock(RunLock&& other) noexcept;
  RunLock& operator=(RunLock&&) = delete;

  /// False on a file system without locks: then no other job is kept out.
  bool held() const { return held_; }

 private:
  int descriptor_;
  bool held_ = false;
};

}  // namespace graticule
