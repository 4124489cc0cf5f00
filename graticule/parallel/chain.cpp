#include "graticule/parallel/chain.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/autograd.h>

#include "graticule/core/error.h"
#include "graticule/parallel/training_pass.h"

namespace graticule {

namespace {

/// A lean pair for any block: the backward runs the block again under autograd.
LeanBlock run_again(const Block& block) {
  return {[run = block.run](const Weights& weights, const at::Tensor& x, const Inputs& inputs, Memo*) {
            const at::NoGradGuard no_grad;
            return run(weights, x, inputs);
          },
          [run = block.run](const Weights& weights, const at::Tensor& x, const at::Tensor& dy,
                            const Inputs& inputs, Memo*, bool for_input) {
            const at::AutoGradMode grad_mode(true);
            const at::Tensor input = x.detach().requires_grad_(for_input);
            torch::autograd::backward({run(weights, input, inputs)}, {dy});
            return input.grad();
          }};
}

Activations policy_of(const std::vector<Activations>& policies, int64_t block) {
  if (policies.empty()) return Activations::keep;
  return policies[static_cast<size_t>(std::min(block, std::ssize(policies) - 1))];
}

}  // namespace

Chain::Chain(std::vector<Block> blocks, ChainOptions options)
    : options_(std::move(options)), model_blocks_(std::ssize(blocks)) {
  const PipelineOptions& pipeline = options_.pipeline;
  const int stages = pipeline.ahead.size();
  const std::vector<Span> spans = stages * pipeline.chunks == 1
                                      ? std::vector<Span>{{0, model_blocks_}}
                                      : stage_spans(model_blocks_, stages * pipeline.chunks);
  for (int chunk = 0; chunk < pipeline.chunks; ++chunk) {
    const Span span = spans[static_cast<size_t>(chunk) * stages + pipeline.ahead.rank()];
    const int64_t first = std::ssize(blocks_);
    for (int64_t i = span.begin; i < span.end; ++i) {
      Block& block = blocks[static_cast<size_t>(i)];
      weights_.emplace_back(block.name, block.parameters, options_.shard);
      if (!block.lean) block.lean = run_again(block);
      blocks_.push_back(std::move(block));
      activations_.push_back(policy_of(options_.activations, i));
      if (activations_.back() == Activations::offload && !store_) {
        store_ = std::make_unique<OffloadStore>(options_.offload_to);
      }
    }
    chunks_.push_back({first, std::ssize(blocks_)});
  }
}

std::vector<ShardedPart*> Chain::parts() {
  std::vector<ShardedPart*> all;
  for (auto& weights : weights_) {
    for (auto& part : weights.parts()) all.push_back(&part);
  }
  return all;
}

at::Tensor Chain::empty_of(std::vector<int64_t> sizes, const Inputs& inputs) const {
  sizes.insert(sizes.begin(), inputs.lead_hours_B.size(0));
  return at::empty(sizes, at::TensorOptions(at::kFloat).device(options_.shard.device));
}

at::Tensor Chain::predict(const at::Tensor& x, const Inputs& inputs) {
  const at::NoGradGuard no_grad;
  const PipelineOptions& pipeline = options_.pipeline;
  const int64_t samples = inputs.lead_hours_B.size(0);
  StageMessages messages(pipeline, at::TensorOptions(options_.shard.compute).device(options_.shard.device),
                         1);
  at::Tensor output;
  for (int chunk = 0; chunk < pipeline.chunks; ++chunk) {
    output = messages.is_first(chunk) ? x : messages.take_activation(chunk, 0, samples);
    const Span span = chunks_[static_cast<size_t>(chunk)];
    for (auto i = static_cast<size_t>(span.begin); i < static_cast<size_t>(span.end); ++i) {
      const Weights weights = weights_[i].gather();
      if (i + 1 < blocks_.size()) weights_[i + 1].prefetch();
      output = blocks_[i].lean->forward(weights, output, inputs, nullptr);
      weights_[i].release();
    }
    if (!messages.is_last(chunk)) messages.send_activation(chunk, 0, output);
  }
  messages.finish();
  if (!last_stage()) output = empty_of(pipeline.output, inputs);
  return pipeline.ahead.broadcast(output, pipeline.ahead.size() - 1).wait();
}

at::Tensor Chain::train(const std::vector<MicroBatch>& micro_batches, const PassOptions& pass) {
  at::Tensor loss = TrainingPass(*this, micro_batches, pass).run();
  if (!pass.input_gradients) return loss;
  const PipelineOptions& pipeline = options_.pipeline;
  pass.input_gradients->resize(micro_batches.size());
  for (size_t m = 0; m < micro_batches.size(); ++m) {
    at::Tensor& gradient = (*pass.input_gradients)[m];
    if (!first_stage()) gradient = empty_of(pipeline.input, micro_batches[m].inputs);
    gradient = pipeline.ahead.broadcast(gradient, 0).wait();
  }
  return loss;
}

void Chain::finish_reduce() {
  for (auto& weights : weights_) weights.collect();
  for (auto* part : parts()) part->start_copies();
  for (auto* part : parts()) part->finish_copies();
}

void Chain::zero_gradients() {
  for (auto* part : parts()) part->zero_gradients();
}

void Chain::refresh() {
  for (auto* part : parts()) part->refresh();
}

}  // namespace graticule
