// The executor: the model is a chain of blocks, and the executor runs it forward and backward block by block.
// Autograd works inside a block. Between blocks the executor gathers weights, runs a block, releases weights
// and starts the reduction of gradients. So all collectives on weights are issued from one place in one
// order. A pipeline stage has some parts (chunks) of the chain; without a pipeline one stage has all of it
// and runs the same code. The train room builds the Chain and calls it.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "graticule/core/choices.h"
#include "graticule/core/pipeline_schedule.h"
#include "graticule/kernel/linear.h"
#include "graticule/parallel/block_weights.h"
#include "graticule/parallel/offload.h"

namespace graticule {

/// The arguments of a block besides its input, for one micro-batch of B samples.
struct Inputs {
  at::Tensor lead_hours_B;          ///< fp32
  std::vector<int64_t> times;       ///< B initial times, seconds since 1970 UTC
  std::vector<int64_t> sample_ids;  ///< B; with `seed` they seed drop path, so the ranks of a sample agree
  uint64_t seed = 0;
  bool training = false;
  /// The tokens that the model's blocks read, ascending, the same on all ranks and for all samples; null: all. Place
  /// i of the sequence is then token (*visible)[i].
  std::shared_ptr<const std::vector<int64_t>> visible = nullptr;
  std::shared_ptr<DeferredGradients> deferred =
      nullptr;  ///< collects weight gradients for later; null: computed at once
};

/// Tensors that a lean block's forward keeps for its backward, besides its input. Only the block knows their
/// order.
using Memo = std::vector<std::vector<at::Tensor>>;

/// A block as an explicit forward and backward that keep little memory. Autograd records nothing of them.
struct LeanBlock {
  /// x -> y. With `memo` it stores there the tensors that are expensive to compute again.
  std::function<at::Tensor(const Weights&, const at::Tensor& x, const Inputs&, Memo* memo)> forward;
  /// dy -> dx. Adds the weights' gradients to the leaves. The result is undefined unless `for_input`. `memo`:
  /// the forward's; null: everything is computed again. It may write over `dy`.
  std::function<at::Tensor(const Weights&, const at::Tensor& x, const at::Tensor& dy, const Inputs&,
                           Memo* memo, bool for_input)>
      backward;
};

/// One block of the chain.
struct Block {
  std::string name;  ///< dotted: "blocks.3"
  std::vector<Parameter> parameters;
  /// x -> y, differentiable.
  std::function<at::Tensor(const Weights&, const at::Tensor& x, const Inputs&)> run;
  /// The same function as a lean pair. Without one, the executor runs run() a second time under autograd.
  std::optional<LeanBlock> lean = std::nullopt;
};

/// From the chain's output to a scalar loss, whose gradient the backward starts with.
using LossFunction = std::function<at::Tensor(const at::Tensor& output)>;

/// One micro-batch. Only the first stage reads `input`, and only the last calls `loss`.
struct MicroBatch {
  at::Tensor input;
  Inputs inputs;
  LossFunction loss;
};

/// How the chain is spread over the ranks of the pipeline axis.
struct PipelineOptions {
  Group ahead;  ///< the pipeline's ranks, for activations
  Group back;   ///< the same ranks, for gradients
  ScheduleKind schedule = ScheduleKind::one_f_one_b;
  int chunks = 1;               ///< parts of the chain that a rank has
  std::vector<int64_t> input;   ///< sizes of one sample of the chain's input (fp32)
  std::vector<int64_t> hidden;  ///< sizes of one sample between blocks: this rank's tokens, width
  std::vector<int64_t> output;  ///< sizes of one sample of the chain's output (fp32)
};

struct ChainOptions {
  ShardOptions shard;
  std::vector<Activations> activations =
      {};                       ///< by block of the model; the last is for all later ones; empty: keep
  std::string offload_to = {};  ///< folder for offloaded activations; empty: host memory
  PipelineOptions pipeline;
};

/// How train() runs, when a step calls it more than once.
struct PassOptions {
  bool last = true;  ///< no pass follows before finish_reduce(): reductions that come once a step start
  std::vector<at::Tensor>* input_gradients = nullptr;  ///< gets the gradient of each micro-batch's input
};

/// This rank's blocks with their weights. Its methods are collective over the pipeline and the replicas.
class Chain {
 public:
  /// `blocks`: all blocks of the model; this rank keeps those of its stage.
  Chain(std::vector<Block> blocks, ChainOptions options);

  /// The sharded weights of this rank's blocks.
  std::vector<ShardedPart*> parts();
  /// Blocks of the whole model.
  int64_t model_blocks() const { return model_blocks_; }
  at::Device device() const { return options_.shard.device; }
  bool first_stage() const { return options_.pipeline.ahead.rank() == 0; }
  bool last_stage() const { return options_.pipeline.ahead.rank() + 1 == options_.pipeline.ahead.size(); }

  /// Only the forward; nothing is kept. Every stage gets the output. Only the first stage reads `x`.
  at::Tensor predict(const at::Tensor& x, const Inputs& inputs);
  /// Forward and backward of all micro-batches of a step, in the order of the schedule. Gradients are added
  /// up in the parts. Returns the summed loss: an fp32 scalar on the device, 0 on all stages but the last.
  /// Every stage gets the input gradients, if they are asked for.
  at::Tensor train(const std::vector<MicroBatch>& micro_batches, const PassOptions& pass = {});
  /// Waits until the owned gradient of every part is summed over all its replicas. Call it once a step, after
  /// train().
  void finish_reduce();
  /// Drops the gradients of all parts.
  void zero_gradients();
  /// Call it after an update of the owned master weights: the weights in use follow.
  void refresh();

 private:
  friend class TrainingPass;

  /// An fp32 tensor for the samples of `inputs`, of these sizes a sample.
  at::Tensor empty_of(std::vector<int64_t> sizes, const Inputs& inputs) const;

  ChainOptions options_;
  int64_t model_blocks_;
  std::vector<Block> blocks_;             ///< of this rank, chunk by chunk
  std::vector<Activations> activations_;  ///< the policy of each of blocks_
  std::unique_ptr<OffloadStore> store_;   ///< only when some block's policy is offload
  std::vector<BlockWeights> weights_;
  std::vector<Span> chunks_;  ///< each chunk's blocks, as a range of blocks_
};

}  // namespace graticule
