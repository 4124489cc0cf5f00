// The executor: the model is a chain of blocks, driven forward and backward block by block. Autograd works
// inside a block, the executor between blocks: it gathers weights, runs, releases, and starts the reduction
// of gradients, so that all collectives are issued from one place in one order. A pipeline stage holds some
// stretches (chunks) of the chain; one stage with all of it is the same program.
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

/// What a block may read besides its input. One micro-batch of B samples.
struct Inputs {
  at::Tensor lead_hours_B;          ///< fp32
  std::vector<int64_t> sample_ids;  ///< B; with `seed` they seed drop path, equally on all ranks of a sample
  uint64_t seed = 0;
  bool training = false;
  std::shared_ptr<DeferredGradients> deferred =
      nullptr;  ///< where weight gradients wait; null: computed at once
};

/// What a lean block's forward leaves for its backward besides its input: lists of tensors, its own affair.
using Memo = std::vector<std::vector<at::Tensor>>;

/// A block as an explicit pair that keeps little; nothing of it is recorded by autograd.
struct LeanBlock {
  /// With `memo` it leaves there what would be dear to compute again.
  std::function<at::Tensor(const Weights&, const at::Tensor& x, const Inputs&, Memo* memo)> forward;
  /// Adds the weights' gradients to the leaves, gives the input's (undefined unless `for_input`). `memo`:
  /// what forward left; null: everything is computed again. May write over `dy`.
  std::function<at::Tensor(const Weights&, const at::Tensor& x, const at::Tensor& dy, const Inputs&,
                           Memo* memo, bool for_input)>
      backward;
};

struct Block {
  std::string name;  ///< dotted: "blocks.3"
  std::vector<Parameter> parameters;
  /// x -> y, differentiable.
  std::function<at::Tensor(const Weights&, const at::Tensor& x, const Inputs&)> run;
  /// The same function; absent: run() again under autograd.
  std::optional<LeanBlock> lean = std::nullopt;
};

/// The last step of the forward: from the chain's output to a scalar whose gradient is wanted.
using LossFunction = std::function<at::Tensor(const at::Tensor& output)>;

/// One micro-batch. `input` is read by the first stage, `loss` by the last.
struct MicroBatch {
  at::Tensor input;
  Inputs inputs;
  LossFunction loss;
};

/// The chain over the ranks of the pipeline axis.
struct PipelineOptions {
  Group ahead;  ///< its ranks, for activations
  Group back;   ///< the same ranks, for gradients
  ScheduleKind schedule = ScheduleKind::one_f_one_b;
  int chunks = 1;               ///< stretches of the chain a rank holds
  std::vector<int64_t> hidden;  ///< sizes of a sample between two blocks (this rank's tokens, width)
  std::vector<int64_t> output;  ///< sizes of a sample of the chain's output (fp32)
};

struct ChainOptions {
  ShardOptions shard;
  std::vector<Activations> activations =
      {};                       ///< by block of the model; the last for all after it; none: keep
  std::string offload_to = {};  ///< folder of offloaded activations; empty: host memory
  PipelineOptions pipeline;
};

class Chain {
 public:
  /// `blocks`: the whole model's; this rank keeps those of its stage.
  Chain(std::vector<Block> blocks, ChainOptions options);

  /// The sharded weights of this rank's blocks.
  std::vector<ShardedPart*> parts();
  /// Blocks of the whole model.
  int64_t model_blocks() const { return model_blocks_; }
  at::Device device() const { return options_.shard.device; }
  bool first_stage() const { return options_.pipeline.ahead.rank() == 0; }
  bool last_stage() const { return options_.pipeline.ahead.rank() + 1 == options_.pipeline.ahead.size(); }

  /// Forward alone, nothing kept; the output reaches every stage. `x` is read by the first stage.
  at::Tensor predict(const at::Tensor& x, const Inputs& inputs);
  /// Forward and backward of all micro-batches of a step, in the order of the schedule; gradients are added
  /// up in the parts. Gives the summed loss (fp32 scalar on the device; zero on all stages but the last).
  at::Tensor train(const std::vector<MicroBatch>& micro_batches);
  /// Waits until every part's owned gradient is summed over its replicas.
  void finish_reduce();
  void zero_gradients();
  /// After an update of the owned master weights.
  void refresh();

 private:
  friend class TrainingPass;

  ChainOptions options_;
  int64_t model_blocks_;
  std::vector<Block> blocks_;             ///< of this rank, chunk by chunk
  std::vector<Activations> activations_;  ///< of each of blocks_
  std::unique_ptr<OffloadStore> store_;   ///< where some block's policy is offload
  std::vector<BlockWeights> weights_;
  std::vector<Span> chunks_;  ///< each chunk's blocks, as a range of blocks_
};

}  // namespace graticule
