// The weights of one block: what the tensor axis cuts and what it does not are sharded over different ranks,
// so they are two parts; with one tensor rank they are one.
#pragma once

#include <ATen/core/Tensor.h>

#include "graticule/parallel/shard.h"

namespace graticule {

class BlockWeights {
 public:
  BlockWeights(const std::string& block, const std::vector<Parameter>& parameters,
               const ShardOptions& options);

  std::vector<ShardedPart>& parts() { return parts_; }

  void prefetch();
  /// All weights of the block as autograd leaves, valid until release() or the next update.
  Weights gather();
  void release();
  /// The gradients that autograd left in the leaves, by leaf; they are gone from there.
  std::vector<at::Tensor> stash_gradients();
  /// Adds stashed gradients to the leaves again.
  void restore_gradients(const std::vector<at::Tensor>& stash);
  void take_gradients(bool last);
  void collect();

 private:
  std::vector<ShardedPart> parts_;
};

}  // namespace graticule
