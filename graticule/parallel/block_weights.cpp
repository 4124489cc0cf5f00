#include "graticule/parallel/block_weights.h"

namespace graticule {

BlockWeights::BlockWeights(const std::string& block, const std::vector<Parameter>& parameters,
                           const ShardOptions& options) {
  std::vector<Parameter> whole, cut;
  const bool tensor = options.whole.shard.size() * options.whole.copies.size() !=
                      options.cut.shard.size() * options.cut.copies.size();
  for (const auto& parameter : parameters) (tensor && parameter.cut ? cut : whole).push_back(parameter);
  if (!whole.empty()) parts_.emplace_back(block, std::move(whole), options, options.whole);
  if (!cut.empty()) parts_.emplace_back(block, std::move(cut), options, options.cut);
}

void BlockWeights::prefetch() {
  for (auto& part : parts_) part.prefetch();
}

Weights BlockWeights::gather() {
  prefetch();
  Weights all;
  for (auto& part : parts_) {
    for (const auto& [name, leaf] : part.gather().items()) all.add(name, leaf);
  }
  return all;
}

void BlockWeights::release() {
  for (auto& part : parts_) part.release();
}

std::vector<at::Tensor> BlockWeights::stash_gradients() {
  std::vector<at::Tensor> stash;
  for (auto& part : parts_) {
    for (const auto& [name, leaf] : part.leaves().items()) {
      stash.push_back(leaf.grad());
      leaf.mutable_grad().reset();
    }
  }
  return stash;
}

void BlockWeights::restore_gradients(const std::vector<at::Tensor>& stash) {
  size_t i = 0;
  for (auto& part : parts_) {
    for (const auto& [name, leaf] : part.leaves().items()) {
      const at::Tensor& gradient = stash[i++];
      if (!gradient.defined()) continue;
      at::Tensor& there = leaf.mutable_grad();
      there = there.defined() ? there + gradient : gradient;
    }
  }
}

void BlockWeights::take_gradients(bool last) {
  for (auto& part : parts_) part.take_gradients(last);
}

void BlockWeights::collect() {
  for (auto& part : parts_) part.collect();
}

}  // namespace graticule
