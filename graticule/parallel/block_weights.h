// The weights of one block. Parameters that the tensor axis cuts are sharded over other ranks than those that
// it does not cut, so a block has up to two parts (shard.h); with one tensor rank it has one. The executor
// uses it.
#pragma once

#include <ATen/core/Tensor.h>

#include "graticule/parallel/shard.h"

namespace graticule {

class BlockWeights {
 public:
  BlockWeights(const std::string& block, const std::vector<Parameter>& parameters,
               const ShardOptions& options);

  std::vector<ShardedPart>& parts() { return parts_; }

  /// Starts to gather the weights; gather() waits for it. Collective, as gather() and the reductions.
  void prefetch();
  /// All weights of the block as autograd leaves. They are valid until release() or the next update.
  Weights gather();
  /// Frees the whole weights at shard level full.
  void release();
  /// Removes the gradients from the leaves and returns them, one for each leaf.
  std::vector<at::Tensor> stash_gradients();
  /// Adds the gradients of a stash to the leaves again.
  void restore_gradients(const std::vector<at::Tensor>& stash);
  /// Takes the gradients from the leaves into the sharded parts. `last`: no more micro-batches follow.
  void take_gradients(bool last);
  /// Waits for the reductions that take_gradients started.
  void collect();

 private:
  std::vector<ShardedPart> parts_;
};

}  // namespace graticule
