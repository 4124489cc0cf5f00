// SIGTERM and SIGINT as a question that the loop asks between steps.
#pragma once

namespace graticule {

/// While one lives, the signals only raise a flag; afterwards they act as before.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;
  bool raised() const;
};

}  // namespace graticule
