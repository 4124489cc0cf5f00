// The executor: the model is a chain of blocks, driven forward and backward block by block. Autograd works
// inside a block, the executor between blocks: it gathers weights, runs, releases, and starts the reduction
// of gradients, so that all collectives are issued from one place in one order.
#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "graticule/attention/kernel/linear.h"
#include "graticule/parallel/shard.h"

namespace graticule {

/// What a block may read besides its input. One micro-batch of B samples.
struct Inputs {
  at::Tensor lead_hours_B;          ///< fp32
  std::vector<int64_t> sample_ids;  ///< B; with `seed` they seed drop path, equally on all ranks of a sample
  uint64_t seed = 0;
  bool training = false;
  std::shared_ptr<DeferredGradients> deferred = nullptr;  ///< where weight gradients wait, or null
};

struct Block {
  std::string name;  ///< dotted: "blocks.3"
  std::vector<Parameter> parameters;
  std::function<at::Tensor(const Weights&, const at::Tensor& x, const Inputs&)> run;
};

/// What the executor keeps of a block between its forward and its backward.
enum class Activations {
  keep,       ///< everything autograd saves
  recompute,  ///< the block's input; the block is run a second time in backward
};

/// The last step of the forward: from the chain's output to a scalar whose gradient is wanted.
using LossFunction = std::function<at::Tensor(const at::Tensor& output)>;

class Chain {
 public:
  Chain(std::vector<Block> blocks, const ShardOptions& options, Activations activations = Activations::keep);

  std::vector<ShardedBlock>& blocks() { return sharded_; }

  /// Forward alone, nothing kept.
  at::Tensor predict(const at::Tensor& x, const Inputs& inputs);
  /// Forward and backward of one micro-batch; gradients are added up in the blocks. Gives the loss
  /// (detached). `last`: the last micro-batch of the step, after which the blocks start reducing.
  at::Tensor train(const at::Tensor& x, const Inputs& inputs, const LossFunction& loss, bool last);
  /// Waits until every block's owned gradient is summed over its replicas.
  void finish_reduce();
  void zero_gradients();
  /// After an update of the owned master weights.
  void refresh();

 private:
  struct Kept {
    at::Tensor input, output;
  };
  Kept run_forward(size_t index, const at::Tensor& x, const Inputs& inputs);
  at::Tensor run_backward(size_t index, Kept kept, const at::Tensor& output_gradient, const Inputs& inputs,
                          bool last);

  std::vector<Block> blocks_;
  std::vector<ShardedBlock> sharded_;
  Activations activations_;
};

}  // namespace graticule
