// One block's weights over the ranks that hold the same block (data x context x ulysses), ZeRO stages 0 to 3.
//
//   level       weights in use     gradients            master weights and AdamW's moments
//   none        whole, always      whole, all-reduced   whole
//   optimizer   whole, always      whole, then owned    owned span (ZeRO-1)
//   gradients   whole, always      owned span           owned span (ZeRO-2)
//   full        while in use       owned span           owned span (ZeRO-3, FSDP)
//
// All parameters of a block lie in one flat buffer of n elements; a rank owns span_of(n, ranks, rank) of it,
// wherever a parameter begins or ends. Bytes sent a step a rank, W ranks, e bytes a weight: gather (W-1) n/W
// e for each use, reduce-scatter (W-1)/W n e, all-reduce twice that. Master weights, moments and sums are
// fp32.
#pragma once

#include <ATen/ATen.h>

#include <optional>
#include <string>
#include <vector>

#include "graticule/comm/group.h"
#include "graticule/parallel/parameters.h"

namespace graticule {

enum class Shard { none, optimizer, gradients, full };

struct ShardOptions {
  Shard level = Shard::none;
  Group replicas;                       ///< the ranks that hold the same block
  at::ScalarType compute = at::kFloat;  ///< dtype of the weights in use
  at::Device device = at::kCPU;
  uint64_t seed = 0;  ///< of the initial weights
};

/// AdamW's state of the owned span; fp32, 1-D.
struct OwnedState {
  at::Tensor master, moment1, moment2;
};

class ShardedBlock {
 public:
  ShardedBlock(std::string name, std::vector<Parameter> parameters, const ShardOptions& options);

  const std::string& name() const { return name_; }
  const std::vector<Parameter>& parameters() const { return parameters_; }
  int64_t numel() const { return numel_; }
  /// What this rank's optimizer updates, as a range of the flat buffer.
  Span owned() const { return owned_; }
  OwnedState& state() { return state_; }
  /// The summed gradient of the owned span (fp32), after finish_reduce().
  const at::Tensor& owned_gradient() const { return gradient_; }

  /// Starts gathering the weights (level full; nothing otherwise). gather() waits for it.
  void prefetch();
  /// The whole weights as autograd leaves, valid until release() or the next update.
  const Weights& gather();
  /// Frees the whole weights (level full). A graph that saved them stays valid: gather() refills the same
  /// storage.
  void release();

  /// Takes the gradients that autograd left in the leaves. `last`: no more micro-batches follow, so start the
  /// reduction (levels gradients and full reduce every time).
  void take_gradients(bool last);
  /// Waits until the owned gradient is summed over all ranks.
  void finish_reduce();
  void zero_gradients();
  /// The owned master weights changed: makes the whole weights follow (by gathering, at the latest on next
  /// use).
  void refresh();

 private:
  void start_gather();
  void make_leaves();
  at::Tensor flatten_gradients() const;

  std::string name_;
  std::vector<Parameter> parameters_;
  ShardOptions options_;
  int64_t numel_;
  std::vector<int64_t> sizes_;  ///< owned elements of each rank
  Span owned_;
  OwnedState state_;
  at::Tensor whole_;   ///< n elements of the compute dtype; its storage is empty while released
  bool stale_ = true;  ///< whole_ does not hold the current weights
  std::optional<Pending> gathering_;
  Weights leaves_;
  at::Tensor local_gradient_;  ///< whole, fp32: levels none and optimizer, summed over micro-batches
  at::Tensor gradient_;
  std::vector<Pending> reducing_;
};

}  // namespace graticule
