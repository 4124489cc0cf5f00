#include "graticule/parallel/training_pass.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/autograd.h>

#include "graticule/core/error.h"
#include "graticule/core/ledger.h"
#include "graticule/core/trace.h"

namespace graticule {

namespace {

using Kind = StageAction::Kind;

bool goes_back(const StageAction& action) {
  return action.kind == Kind::backward || action.kind == Kind::backward_input;
}

bool needs_weights(const StageAction& action) { return action.kind != Kind::backward_weight; }

}  // namespace

TrainingPass::TrainingPass(Chain& chain, const std::vector<MicroBatch>& micro_batches,
                           const PassOptions& pass)
    : chain_(chain),
      pass_(pass),
      micro_batches_(micro_batches),
      messages_(chain.options_.pipeline,
                at::TensorOptions(chain.options_.shard.compute).device(chain.options_.shard.device),
                static_cast<int>(micro_batches.size())),
      defers_(chain.options_.pipeline.schedule == ScheduleKind::zero_bubble),
      kept_(micro_batches.size(), std::vector<Kept>(chain.blocks_.size())),
      output_gradients_(micro_batches.size()),
      taken_(chain.blocks_.size(), 0),
      loss_(at::zeros({}, at::TensorOptions(at::kFloat).device(chain.options_.shard.device))) {
  if (pass.input_gradients) pass.input_gradients->assign(micro_batches.size(), {});
}

std::vector<TrainingPass::Task> TrainingPass::tasks() const {
  const PipelineOptions& pipeline = chain_.options_.pipeline;
  std::vector<Task> list;
  for (const StageAction& action :
       schedule_of(pipeline.schedule, pipeline.ahead.size(), pipeline.ahead.rank(), pipeline.chunks,
                   static_cast<int>(micro_batches_.size()))) {
    const Span blocks = chain_.chunks_[static_cast<size_t>(action.chunk)];
    for (int64_t i = 0; i < blocks.size(); ++i) {
      const int64_t block = action.kind == Kind::forward ? blocks.begin + i : blocks.end - 1 - i;
      list.push_back({action, static_cast<size_t>(block), i == 0, i + 1 == blocks.size()});
    }
  }
  return list;
}

at::Tensor TrainingPass::run() {
  const Accounted booked(Account::activations);
  const std::vector<Task> list = tasks();
  for (size_t i = 0; i < list.size(); ++i) {
    const Task& task = list[i];
    const Task* next = i + 1 < list.size() ? &list[i + 1] : nullptr;
    // Tasks of weight gradients need no weights. So the weights of the task after them are fetched meanwhile.
    const auto after = std::find_if(list.begin() + static_cast<std::ptrdiff_t>(i) + 1, list.end(),
                                    [](const Task& later) { return needs_weights(later.action); });
    ahead_ = after == list.end() ? nullptr : &*after;
    const auto back = std::find_if(list.begin() + static_cast<std::ptrdiff_t>(i) + 1, list.end(),
                                   [](const Task& later) { return goes_back(later.action); });
    returns_ = back == list.end() ? nullptr : &*back;
    if (task.begins) expect(task);
    if (task.ends && ahead_) expect(*ahead_);
    switch (task.action.kind) {
      case Kind::forward:
        forward(task, next);
        break;
      case Kind::backward:
      case Kind::backward_input:
        backward(task, next);
        break;
      case Kind::backward_weight:
        backward_weight(task);
        break;
    }
  }
  if (reducing_ && !pass_.last) chain_.weights_[*reducing_].collect();
  messages_.finish();
  return loss_;
}

// A receive is posted one action early, so that its message arrives during the work before it.
void TrainingPass::expect(const Task& task) {
  const auto [kind, chunk, micro] = task.action;
  if (kind == Kind::forward && !messages_.is_first(chunk))
    messages_.expect_activation(chunk, micro, samples(task));
  if ((kind == Kind::backward || kind == Kind::backward_input) && !messages_.is_last(chunk))
    messages_.expect_gradient(chunk, micro, samples(task));
}

// Whether the next task needs the same weights, so that they are not released in between.
bool TrainingPass::stays(const Task& task, const Task* next) {
  return next && needs_weights(next->action) && next->block == task.block;
}

void TrainingPass::prefetch() {
  if (ahead_) chain_.weights_[ahead_->block].prefetch();
}

at::Tensor TrainingPass::forward_kept(const Task& task, const Weights& weights) {
  Kept& here = kept(task);
  if (defers_) here.deferred = std::make_shared<DeferredGradients>();
  if (!ends_backward(task)) here.input.requires_grad_();
  Inputs inputs = micro(task).inputs;
  inputs.deferred = here.deferred;
  const at::AutoGradMode grad_mode(true);
  here.output = chain_.blocks_[task.block].run(weights, here.input, inputs);
  return here.output.detach();
}

// A block whose backward follows at once is not offloaded. The model's input is not either, because the batch
// keeps it anyway.
at::Tensor TrainingPass::forward_lean(const Task& task, const Weights& weights, bool turns) {
  Kept& here = kept(task);
  const Activations policy = chain_.activations_[task.block];
  Memo* memo = policy == Activations::recompute ? nullptr : &here.memo;
  at::Tensor output = chain_.blocks_[task.block].lean->forward(weights, here.input, micro(task).inputs, memo);
  if (policy == Activations::offload && !turns && !is_model_input(task)) offload(here);
  return output;
}

at::Tensor TrainingPass::backward_kept(const Task& task) {
  Kept& here = kept(task);
  torch::autograd::backward({here.output}, {flow_});
  return here.input.grad();
}

at::Tensor TrainingPass::backward_lean(const Task& task, const Weights& weights) {
  Kept& here = kept(task);
  fetch(here);
  if (returns_) {
    for (const auto& list : kept(*returns_).away) {
      for (const auto ticket : list) chain_.store_->prefetch(ticket);
    }
  }
  const bool recalls = chain_.activations_[task.block] != Activations::recompute;
  return chain_.blocks_[task.block].lean->backward(weights, here.input, flow_, micro(task).inputs,
                                                   recalls ? &here.memo : nullptr, !ends_backward(task));
}

void TrainingPass::offload(Kept& kept) {
  kept.memo.push_back({std::move(kept.input)});
  for (const auto& list : kept.memo) {
    kept.away.emplace_back();
    for (const at::Tensor& tensor : list) kept.away.back().push_back(chain_.store_->put(tensor));
  }
  kept.memo.clear();
}

void TrainingPass::fetch(Kept& kept) {
  if (kept.away.empty()) return;
  for (const auto& list : kept.away) {
    kept.memo.emplace_back();
    for (const auto ticket : list) kept.memo.back().push_back(chain_.store_->take(ticket));
  }
  kept.away.clear();
  kept.input = std::move(kept.memo.back()[0]);
  kept.memo.pop_back();
}

// A block's input is detached from the block before: the executor hands its gradient on.
void TrainingPass::forward(const Task& task, const Task* next) {
  const Scope scope("forward");
  const auto [kind, chunk, index] = task.action;
  if (task.begins) {
    flow_ = messages_.is_first(chunk) ? micro(task).input
                                      : messages_.take_activation(chunk, index, samples(task));
  }
  kept(task).input = flow_.detach();
  const Weights weights = chain_.weights_[task.block].gather();
  prefetch();
  const bool turns = next && next->block == task.block && next->action.micro == index;
  const bool keeps = chain_.activations_[task.block] == Activations::keep;
  flow_ = keeps ? forward_kept(task, weights) : forward_lean(task, weights, turns);
  if (!stays(task, next)) chain_.weights_[task.block].release();
  if (!task.ends) return;
  messages_.is_last(chunk) ? judge(task) : messages_.send_activation(chunk, index, flow_);
  flow_.reset();
}

void TrainingPass::judge(const Task& task) {
  const at::Tensor prediction = flow_.detach().requires_grad_();
  const at::AutoGradMode grad_mode(true);
  const at::Tensor value = micro(task).loss(prediction);
  torch::autograd::backward({value});
  output_gradients_[static_cast<size_t>(task.action.micro)] = prediction.grad();
  loss_.add_(value.detach());
}

void TrainingPass::backward(const Task& task, const Task* next) {
  const Scope scope("backward");
  const auto [kind, chunk, index] = task.action;
  if (task.begins) {
    flow_ = messages_.is_last(chunk) ? std::exchange(output_gradients_[static_cast<size_t>(index)], {})
                                     : messages_.take_gradient(chunk, index, samples(task));
  }
  Kept& here = kept(task);
  const Weights weights = chain_.weights_[task.block].gather();
  prefetch();
  flow_ = chain_.activations_[task.block] == Activations::keep ? backward_kept(task)
                                                               : backward_lean(task, weights);
  if (kind == Kind::backward_input) {
    here.stash = chain_.weights_[task.block].stash_gradients();
    here.input.reset(), here.output.reset(), here.memo.clear();
  } else {
    here = Kept();
    take_gradients(task.block);
  }
  if (!stays(task, next)) chain_.weights_[task.block].release();
  if (task.ends && !messages_.is_first(chunk)) messages_.send_gradient(chunk, index, flow_);
  if (task.ends && messages_.is_first(chunk) && pass_.input_gradients)
    (*pass_.input_gradients)[static_cast<size_t>(index)] = flow_;
  if (task.ends) flow_.reset();
}

void TrainingPass::backward_weight(const Task& task) {
  const Scope scope("backward");
  prefetch();
  Kept& here = kept(task);
  chain_.weights_[task.block].restore_gradients(here.stash);
  if (here.deferred) here.deferred->run();
  here = Kept();
  take_gradients(task.block);
}

// The reduction of a block is under way while the block before it computes. It is waited for when the
// reduction of that block begins.
void TrainingPass::take_gradients(size_t block) {
  const bool last = ++taken_[block] == micro_batches_.size() && pass_.last;
  if (reducing_ == block) chain_.weights_[block].collect();  // a stage of one block
  chain_.weights_[block].take_gradients(last);
  if (reducing_ && *reducing_ != block) chain_.weights_[*reducing_].collect();
  reducing_ = block;
}

}  // namespace graticule
