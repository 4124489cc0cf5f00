// Turns SIGTERM, SIGINT and SIGHUP (the terminal was closed) into a flag that the training loop reads between
// steps.
#pragma once

#include <array>

namespace graticule {

/// While an object exists, the signals only set a flag; the destructor restores their former effect. A signal
/// that was ignored when the program began stays ignored, as nohup wants. SIGPIPE is ignored too: when the
/// terminal is closed, the program that reads the output often ends as well.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;
  /// Whether one of the signals has arrived.
  bool raised() const;

 private:
  using Handler = void (*)(int);
  std::array<Handler, 4> before_;
};

}  // namespace graticule
