// Notices spikes of the training loss, so that loop.cpp tells them. Telling changes nothing in training.
#pragma once

#include <deque>
#include <optional>

namespace graticule {

/// The last losses of a run. A loss is a spike when it is more than 8 median absolute deviations, and more than
/// half, above the median of the 64 losses before it. Before 16 losses nothing is a spike.
class Spikes {
 public:
  /// Notes the loss of a step. Returns the median before it if the loss is a spike. A spike is not counted
  /// among the losses, until three came in a row: then the loss has risen to a new level.
  std::optional<double> note(double loss);

 private:
  std::deque<double> losses_;
  int in_a_row_ = 0;
};

}  // namespace graticule
