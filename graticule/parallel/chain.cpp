#include "graticule/parallel/chain.h"

#include <torch/csrc/autograd/autograd.h>

#include "graticule/core/error.h"
#include "graticule/core/trace.h"

namespace graticule {

Chain::Chain(std::vector<Block> blocks, const ShardOptions& options, Activations activations)
    : blocks_(std::move(blocks)), activations_(activations) {
  for (const auto& block : blocks_) sharded_.emplace_back(block.name, block.parameters, options);
}

at::Tensor Chain::predict(const at::Tensor& x, const Inputs& inputs) {
  const at::NoGradGuard no_grad;
  at::Tensor output = x;
  for (size_t i = 0; i < blocks_.size(); ++i) {
    const Weights& weights = sharded_[i].gather();
    if (i + 1 < blocks_.size()) sharded_[i + 1].prefetch();
    output = blocks_[i].run(weights, output, inputs);
    sharded_[i].release();
  }
  return output;
}

// A block's input is cut off from the block before: its gradient is what the executor hands on.
Chain::Kept Chain::run_forward(size_t index, const at::Tensor& x, const Inputs& inputs) {
  Kept kept;
  kept.input = x.detach();
  const Weights& weights = sharded_[index].gather();
  if (index + 1 < blocks_.size()) sharded_[index + 1].prefetch();
  const bool keep = activations_ == Activations::keep || index + 1 == blocks_.size();
  if (keep && index > 0) kept.input.requires_grad_();
  const at::AutoGradMode grad_mode(keep);
  kept.output = blocks_[index].run(weights, kept.input, inputs);
  return kept;
}

at::Tensor Chain::run_backward(size_t index, Kept kept, const at::Tensor& output_gradient,
                               const Inputs& inputs, bool last) {
  const Weights& weights = sharded_[index].gather();
  if (index > 0) sharded_[index - 1].prefetch();
  if (!kept.output.defined() || !kept.output.requires_grad()) {
    const at::AutoGradMode grad_mode(true);
    if (index > 0) kept.input.requires_grad_();
    kept.output = blocks_[index].run(weights, kept.input, inputs);
  }
  torch::autograd::backward({kept.output}, {output_gradient});
  sharded_[index].take_gradients(last);
  sharded_[index].release();
  return kept.input.grad();
}

at::Tensor Chain::train(const at::Tensor& x, const Inputs& inputs, const LossFunction& loss, bool last) {
  std::vector<Kept> kept;
  {
    const Scope scope("forward");
    at::Tensor output = x;
    for (size_t i = 0; i < blocks_.size(); ++i) {
      kept.push_back(run_forward(i, output, inputs));
      output = kept.back().output.detach();
      if (activations_ == Activations::recompute && i + 1 < blocks_.size()) kept.back().output.reset();
      if (i + 1 < blocks_.size()) sharded_[i].release();
    }
  }
  const Scope scope("backward");
  at::Tensor prediction = kept.back().output.detach().requires_grad_();
  at::Tensor value;
  {
    const at::AutoGradMode grad_mode(true);
    value = loss(prediction);
  }
  torch::autograd::backward({value});
  at::Tensor gradient = prediction.grad();
  for (size_t i = blocks_.size(); i-- > 0;) {
    Kept taken = std::move(kept[i]);
    gradient = run_backward(i, std::move(taken), gradient, inputs, last);
  }
  return value.detach();
}

void Chain::finish_reduce() {
  for (auto& block : sharded_) block.finish_reduce();
}

void Chain::zero_gradients() {
  for (auto& block : sharded_) block.zero_gradients();
}

void Chain::refresh() {
  for (auto& block : sharded_) block.refresh();
}

}  // namespace graticule
