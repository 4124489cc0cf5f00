// One step's forwards and backwards of this stage, as a list of tasks: the schedule's actions, block by
// block.
#pragma once

#include <ATen/core/Tensor.h>

#include "graticule/parallel/chain.h"
#include "graticule/parallel/stage_messages.h"

namespace graticule {

class TrainingPass {
 public:
  TrainingPass(Chain& chain, const std::vector<MicroBatch>& micro_batches);

  /// Runs every task; gives the summed loss.
  at::Tensor run();

 private:
  /// One block of one action.
  struct Task {
    StageAction action;
    size_t block;
    bool begins, ends;  ///< the action
  };
  /// What is kept of one block and micro-batch from its forward to its backward.
  struct Kept {
    at::Tensor input, output;  ///< output: with a graph behind it, under the policy keep
    Memo memo;                 ///< of a lean forward
    std::vector<std::vector<OffloadStore::Ticket>> away;  ///< input and memo, while they are offloaded
    std::shared_ptr<DeferredGradients> deferred;
    std::vector<at::Tensor> stash;  ///< gradients of weights that were not deferred
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

  Chain& chain_;
  const std::vector<MicroBatch>& micro_batches_;
  StageMessages messages_;
  bool defers_;                               ///< weight gradients are tasks of their own
  std::vector<std::vector<Kept>> kept_;       ///< by micro-batch and block
  std::vector<at::Tensor> output_gradients_;  ///< by micro-batch, on the last stage
  std::vector<size_t> taken_;                 ///< by block: micro-batches whose weight gradients are in
  std::optional<size_t> reducing_;            ///< the block whose reduction is under way
  const Task* ahead_ = nullptr;               ///< the next task that needs weights
  const Task* returns_ = nullptr;             ///< the next task that needs what a forward kept
  at::Tensor flow_;                           ///< what goes from block to block within an action
  at::Tensor loss_;
};

}  // namespace graticule
