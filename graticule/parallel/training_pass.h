// One step of this stage: all forwards and backwards of its micro-batches. The actions of the pipeline
// schedule are written out as tasks, one for each block. So the pass always knows which weights come next.
// Chain::train uses it.
#pragma once

#include <ATen/core/Tensor.h>

#include "graticule/parallel/chain.h"
#include "graticule/parallel/stage_messages.h"

namespace graticule {

/// One use is one step.
class TrainingPass {
 public:
  TrainingPass(Chain& chain, const std::vector<MicroBatch>& micro_batches, const PassOptions& pass);

  /// Runs all tasks and returns the summed loss (chain.h). Collective, as Chain::train.
  at::Tensor run();

 private:
  /// One block of one action.
  struct Task {
    StageAction action;
    size_t block;
    bool begins, ends;  ///< first or last block of the action
  };
  /// Tensors of one block and micro-batch that are kept from its forward to its backward.
  struct Kept {
    at::Tensor input, output;  ///< output: with its autograd graph, under the policy keep
    Memo memo;                 ///< kept by a lean forward
    std::vector<std::vector<OffloadStore::Ticket>> away;  ///< of input and memo, while offloaded
    std::shared_ptr<DeferredGradients> deferred;
    std::vector<at::Tensor> stash;  ///< weight gradients that were not deferred
  };

  std::vector<Task> tasks() const;
  void expect(const Task& task);
  void forward(const Task& task, const Task* next);
  void judge(const Task& task);
  void backward(const Task& task, const Task* next);
  void backward_weight(const Task& task);
  at::Tensor forward_kept(const Task& task, const Weights& weights);
  at::Tensor forward_lean(const Task& task, const Weights& weights, bool turns);
  at::Tensor backward_kept(const Task& task);
  at::Tensor backward_lean(const Task& task, const Weights& weights);
  void offload(Kept& kept);
  void fetch(Kept& kept);
  static bool stays(const Task& task, const Task* next);
  void prefetch();
  void take_gradients(size_t block);
  Kept& kept(const Task& task) { return kept_[static_cast<size_t>(task.action.micro)][task.block]; }
  const MicroBatch& micro(const Task& task) const {
    return micro_batches_[static_cast<size_t>(task.action.micro)];
  }
  int64_t samples(const Task& task) const { return micro(task).inputs.lead_hours_B.size(0); }
  bool is_model_input(const Task& task) const {
    return task.block == 0 && messages_.is_first(task.action.chunk);
  }

  /// Whether the gradient of the task's input has no use.
  bool ends_backward(const Task& task) const { return is_model_input(task) && !pass_.input_gradients; }

  Chain& chain_;
  const PassOptions& pass_;
  const std::vector<MicroBatch>& micro_batches_;
  StageMessages messages_;
  bool defers_;                               ///< whether weight gradients are tasks of their own
  std::vector<std::vector<Kept>> kept_;       ///< by micro-batch and block
  std::vector<at::Tensor> output_gradients_;  ///< by micro-batch, on the last stage
  std::vector<size_t> taken_;                 ///< by block: micro-batches whose weight gradients are taken
  std::optional<size_t> reducing_;            ///< the block whose reduction is under way
  const Task* ahead_ = nullptr;               ///< the next task that needs weights
  const Task* returns_ = nullptr;             ///< the next task that needs tensors kept by a forward
  at::Tensor flow_;                           ///< the tensor between two blocks of an action
  at::Tensor loss_;
};

}  // namespace graticule
