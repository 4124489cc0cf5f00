// What a block's weights, their gradients and the optimizer's state hold, in sizes: parallel/shard without
// tensors.
#pragma once

#include <vector>

#include "graticule/footprint/layer_memory.h"

namespace graticule {

/// Weights that are sharded over the same ranks, through a step: each function books what parallel/shard's
/// does.
class PartSizes {
 public:
  /// n weights over `ranks` ranks, of which this is `rank`; as many shards lie `copies` times.
  PartSizes(const PassSizes& sizes, int64_t n, int64_t ranks, int64_t rank, int64_t copies);

  int64_t numel() const { return n_; }
  void make_state(Footprint& f) const;
  void prefetch(Footprint& f);
  void gather(Footprint& f);
  void release(Footprint& f);
  void refresh() { stale_ = true; }
  /// Fresh gradients lie flat, and are reduced; of levels none and optimizer after the `last` micro-batch.
  void take_gradients(Footprint& f, bool last);
  void collect(Footprint& f);
  /// What is sent lies beside the gradients of all parts; bytes.
  int64_t copies_bytes() const;
  void zero_gradients(Footprint& f);

 private:
  bool sharded() const { return level_ != Shard::none && ranks_ > 1; }

  Shard level_;
  int64_t n_, ranks_, owned_, copies_, element_, state_;
  bool stale_ = true, gathering_ = false, there_ = false;
  Booked local_, gradient_, reducing_;
};

/// The parts of the weights of a block: 0 the tokenizer, 1 .. depth transformer blocks, depth + 1 the head.
std::vector<PartSizes> parts_of(const PassSizes& sizes, int64_t block);

}  // namespace graticule
