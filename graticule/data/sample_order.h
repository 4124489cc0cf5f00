// The order of samples: one global sequence that depends on the seed alone, never on the layout. TokenReader
// and Loader use it. A sample is an initial time with a lead; its number in the sequence is its id.
#pragma once

#include <cstdint>
#include <vector>

#include "graticule/data/crop.h"
#include "graticule/data/loader.h"
#include "graticule/data/tiles.h"

namespace graticule {

class SampleOrder {
 public:
  /// Lists the initial times: those whose earlier states and later steps (Sample) are present and inside
  /// options.range, for every lead.
  /// Refuses a range without any, and an empty list of leads.
  SampleOrder(const Catalog& catalog, const LoaderOptions& options);

  struct Sample {
    std::vector<int64_t> states;  ///< indices of the times t, t - lead, ...: options.grid.states of them
    std::vector<int64_t> later;   ///< indices of the times t + lead, t + 2 lead, ...: options.steps of them
    int lead_hours;
    Tile tile = {};  ///< where it begins, and what of it counts
  };
  /// The sample with this id. The epoch is id / size(). Its order is shuffled by (seed, epoch), unless
  /// options.shuffle is false. The lead is drawn by (seed, id), and so is the crop, which is the middle of the
  /// field if options.shuffle is false. With options.tiles an initial time has one sample for each tile.
  Sample at(int64_t id);
  /// Samples of one epoch: initial times, times tiles.
  int64_t size() const { return std::ssize(initial_) * std::ssize(tiles_); }

 private:
  std::vector<int64_t> times_, initial_;  // of the catalogue; indices of initial times, ascending
  std::vector<Tile> tiles_;               // of a field; without options.tiles the middle crop
  Crop room_;                             // how far a crop may begin from the first pixel
  std::vector<int> lead_hours_;
  int64_t states_, steps_;
  uint64_t seed_;
  bool shuffle_;
  int64_t epoch_ = -1;  // the one that order_ is of
  std::vector<int64_t> order_;
};

}  // namespace graticule
