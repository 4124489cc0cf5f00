// SIGTERM, SIGINT and SIGHUP (the terminal was closed) as a question that the loop asks between steps.
#pragma once

#include <array>

namespace graticule {

/// While one lives, the signals only raise a flag; afterwards they act as before. One that was ignored when
/// the program began stays ignored: that is what nohup asks for. SIGPIPE is ignored meanwhile, for where the
/// terminal goes, the program that reads the output goes too.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;
  bool raised() const;

 private:
  using Handler = void (*)(int);
  std::array<Handler, 4> before_;
};

}  // namespace graticule
