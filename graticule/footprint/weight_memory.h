// The bytes of a block's weights, their gradients and the optimizer's state on a rank. The formulas follow
// parallel/shard allocation by allocation. step_memory.cpp uses them.
#pragma once

#include <vector>

#include "graticule/footprint/layer_memory.h"

namespace graticule {

/// One ShardedPart (parallel/shard.h) in sizes: weights that are sharded over the same ranks. Each function
/// books in `f` what the function of the same name there allocates and frees.
class PartSizes {
 public:
  /// n weights, sharded over a group of `ranks` ranks, in which this one is number `rank`. `copies` such
  /// groups hold the same weights.
  PartSizes(const PassSizes& sizes, int64_t n, int64_t ranks, int64_t rank, int64_t copies);

  int64_t numel() const { return n_; }
  /// The optimizer's state: master weights, moments and averages; nothing where they are in a file
  /// (train.state_in).
  void make_state(Footprint& f) const;
  void prefetch(Footprint& f);
  void gather(Footprint& f);
  void release(Footprint& f);
  void refresh() { stale_ = true; }
  /// The new gradients are copied into one flat buffer, which is reduced: at once with levels gradients and
  /// full, after the `last` micro-batch with none and optimizer.
  void take_gradients(Footprint& f, bool last);
  void collect(Footprint& f);
  /// Bytes of the result when the owned gradients are summed over the copies; 0 with one copy.
  int64_t copies_bytes() const;
  void zero_gradients(Footprint& f);

 private:
  bool sharded() const { return level_ != Shard::none && ranks_ > 1; }

  Shard level_;
  int64_t n_, ranks_, owned_, copies_, element_, state_;
  bool stale_ = true, gathering_ = false, there_ = false;
  Booked local_, gradient_, reducing_;
};

/// The parts of a block: weights that the tensor axis leaves whole, then, if there are any, those that it
/// cuts. `block`: 0 the tokenizer, 1 .. depth transformer blocks, depth + 1 the head.
std::vector<PartSizes> parts_of(const PassSizes& sizes, int64_t block);

}  // namespace graticule
