// Writes TensorBoard event files, so that `tensorboard --logdir RUN` draws the curves during a run. RunLog
// (run_log.h) uses it.
#pragma once

#include <cstdint>
#include <string>

#include "graticule/train/file.h"

namespace graticule {

class EventWriter {
 public:
  /// Makes the file `folder`/events.out.tfevents.<seconds>.<host>.<process>; the folder must exist. Fails
  /// when it cannot be written.
  explicit EventWriter(const std::string& folder);

  const std::string& path() const { return file_.path(); }
  /// Appends one value; readers see it at once. Fails when the disk refuses.
  void scalar(const std::string& tag, int64_t step, double value);

 private:
  void append(const std::string& event);

  File file_;
  int64_t size_ = 0;
};

}  // namespace graticule
