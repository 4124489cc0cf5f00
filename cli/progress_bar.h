// A bar on the terminal for commands that read or write for long. Nothing is printed where standard error is
// no terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace graticule {

class ProgressBar {
 public:
  /// `all`: the steps to do. `what`: a word or two before the bar.
  ProgressBar(std::string what, int64_t all);
  /// Removes the bar, so that a result or an error starts on a clean line.
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  /// `done` of all steps are finished. Call it from one thread at a time.
  void show(int64_t done);

 private:
  std::string what_;
  int64_t all_;
  bool terminal_;
  std::chrono::steady_clock::time_point begin_, shown_;
};

}  // namespace graticule
