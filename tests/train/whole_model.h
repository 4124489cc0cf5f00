// Collects a model that is spread over ranks, for comparison with one rank.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/full.h>

#include <map>
#include <mutex>
#include <string>

#include "graticule/parallel/chain.h"

namespace graticule {

/// Parameters (or their gradients) of the whole model by full name, filled by all ranks of a job.
class WholeModel {
 public:
  /// Adds the values of this rank: `of` returns the owned values of a part. Collective over the shard groups.
  void add(Chain& chain, Shard level, const std::function<at::Tensor(ShardedPart&)>& of) {
    for (auto* part : chain.parts()) {
      const Group& shard = part->replicas().shard;
      const at::Tensor flat =
          level == Shard::none ? of(*part).clone()
                               : shard.all_gather(of(*part), span_sizes(part->numel(), shard.size())).wait();
      const Weights local = as_weights(part->parameters(), flat);
      const std::lock_guard lock(mutex_);
      for (const auto& parameter : part->parameters()) {
        at::Tensor& whole = values_[part->block() + "." + parameter.name];
        if (!whole.defined()) whole = at::full(parameter.shape, std::nan(""), at::kFloat);
        place(parameter, local[parameter.name], whole);
      }
    }
  }

  const std::map<std::string, at::Tensor>& values() const { return values_; }

 private:
  std::mutex mutex_;
  std::map<std::string, at::Tensor> values_;
};

}  // namespace graticule
