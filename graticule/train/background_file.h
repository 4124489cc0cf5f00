// Writes one rank's file of a checkpoint while training goes on. checkpoint_writer.h uses it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "graticule/train/saved_weights.h"

namespace graticule {

/// A thread that writes a file of tensors in use. It copies the last of them, as many as fit into `memory` bytes.
/// The others it writes first, straight from the memory in use. So the file has the values of the moment at which
/// the object was made, if nobody changes a tensor before wait_copied() returns.
class BackgroundFile {
 public:
  BackgroundFile(std::vector<SavedPart> parts, std::string path, int64_t memory);
  /// Waits for the end of the thread.
  ~BackgroundFile();
  BackgroundFile(const BackgroundFile&) = delete;
  BackgroundFile& operator=(const BackgroundFile&) = delete;

  /// Blocks until the thread reads the tensors in use no more, also after an error.
  void wait_copied();
  /// Whether the file is on the disk, or an error has ended the thread. Does not block.
  bool ended() const { return ended_; }
  /// Blocks until then. Returns the file's checksum. Throws the thread's error.
  std::string wait();

 private:
  void work(int64_t memory);
  void say_copied();

  std::vector<SavedPart> parts_;
  std::string path_, checksum_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool copied_ = false;
  std::atomic<bool> ended_ = false;
  std::exception_ptr error_;
  std::jthread thread_;  // last: it uses the members above
};

}  // namespace graticule
