// Which sample comes when: a global sequence of samples that depends on the seed alone, never on the layout.
#pragma once

#include <cstdint>
#include <vector>

#include "graticule/data/loader.h"

namespace graticule {

class SampleOrder {
 public:
  /// Refuses a range with no sample. A time is an initial time when time + lead is present and inside the
  /// range for every lead.
  SampleOrder(const Catalog& catalog, const LoaderOptions& options);

  struct Sample {
    int64_t time_index, later_index;  ///< of the initial time and of initial time + lead
    int lead_hours;
  };
  /// The sample at a position of the sequence: epoch id / size(), shuffled by (seed, epoch); its lead is
  /// drawn by (seed, id).
  Sample at(int64_t id);
  /// Initial times of one epoch.
  int64_t size() const { return static_cast<int64_t>(initial_.size()); }

 private:
  std::vector<int64_t> times_, initial_;  // of the catalogue; indices of initial times, ascending
  std::vector<int> lead_hours_;
  uint64_t seed_;
  bool shuffle_;
  int64_t epoch_ = -1;  // the one that order_ is of
  std::vector<int64_t> order_;
};

}  // namespace graticule
