// One job at a time trains in a run folder: two would mix their metrics and remove each other's checkpoints.
#pragma once

#include <string>

namespace graticule {

/// Holds RUN/lock for as long as it lives. The kernel releases it when the process ends, however it ends, so
/// the file that stays behind means nothing.
class RunLock {
 public:
  /// Refuses, naming host and process, when another process holds it.
  explicit RunLock(const std::string& run_folder);
  ~RunLock();
  RunLock(RunLock&& other) noexcept;
  RunLock& operator=(RunLock&&) = delete;

  /// False on a file system without locks: nobody is kept out then.
  bool held() const { return held_; }

 private:
  int descriptor_;
  bool held_ = false;
};

}  // namespace graticule
