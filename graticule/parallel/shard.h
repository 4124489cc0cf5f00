// Sharding: the ranks with the same weights split optimizer state, gradients or weights among them. ZeRO
// (arXiv 1910.02054) stages 0 to 3, in one or two levels.
//
//   level       weights in use     gradients            master weights, AdamW's moments, averages
//   none        whole, always      whole, all-reduced   whole
//   optimizer   whole, always      whole, then owned    owned span (ZeRO-1)
//   gradients   whole, always      owned span           owned span (ZeRO-2)
//   full        while in use       owned span           owned span (ZeRO-3, FSDP)
//
// A part's parameters are stored one behind the other in one flat buffer of n elements. A shard group has W
// ranks, and a rank owns span_of(n, W, rank) of the buffer, regardless of where a parameter begins or ends.
// With several shard groups (two levels, as in hybrid sharding: gather within a node, reduce across nodes),
// the owned gradients are summed over their c copies once a step. Master weights and sums are fp32, moments
// fp32 or bf16.
//
// Bytes that a rank sends in a step, with e bytes for a weight in use:
//   gather of weights        (W-1) n/W e     once a step; level full: for each use; level none: 0
//   gradients, full          (W-1)/W n e     reduce-scatter, for each micro-batch
//   optimizer                (W-1)/W n 4     reduce-scatter of the fp32 sum, once a step
//   none                   2 (W-1)/W n 4     all-reduce of the fp32 sum, once a step
//   sum over the copies    2 (c-1)/c m 4     all-reduce, once a step; m = n/W owned elements, level none: n
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <vector>

#include "graticule/comm/mesh.h"
#include "graticule/core/choices.h"
#include "graticule/parallel/owned_state.h"
#include "graticule/parallel/parameters.h"

namespace graticule {

/// The options of all parts of a model.
struct ShardOptions {
  Shard level = Shard::none;
  Replicas whole;                       ///< replicas of parameters that the tensor axis does not cut
  Replicas cut;                         ///< replicas of those that it cuts
  at::ScalarType compute = at::kFloat;  ///< dtype of the weights in use
  at::Device device = at::kCPU;
  uint64_t seed = 0;                    ///< seed of the initial weights
  at::ScalarType moments = at::kFloat;  ///< dtype of AdamW's moments: fp32 or bf16
  bool averages = false;                ///< also hold an average of the weights
  std::string state_in;                 ///< folder of a mapped file for the owned state; empty: memory
};

/// A range of the owned span (indices within the span) whose parameters have the same weight decay.
struct Stretch {
  Span span;
  bool decay;
};

/// Some parameters of one block, sharded over one set of replicas. Gathers and reductions are collective.
class ShardedPart {
 public:
  ShardedPart(std::string block, std::vector<Parameter> parameters, const ShardOptions& options,
              Replicas replicas);

  /// The block's name; its parameters' full names are block() + "." + name.
  const std::string& block() const { return block_; }
  const std::vector<Parameter>& parameters() const { return parameters_; }
  const Replicas& replicas() const { return replicas_; }
  int64_t numel() const { return numel_; }
  /// The range of the flat buffer that this rank's optimizer updates.
  Span owned() const { return owned_; }
  /// Master weights, moments and average of the owned span. The average starts as the weights.
  OwnedState& state() { return state_; }
  /// The owned span, cut where weight decay begins or ends.
  const std::vector<Stretch>& stretches() const { return stretches_; }
  /// The gradient of the owned span (fp32), summed over all replicas. Valid after the copies are summed.
  const at::Tensor& owned_gradient() const { return gradient_; }
  /// Whether this rank is the one that counts this span, when a quantity is summed over the world. Exactly
  /// one of the ranks that own the span returns true.
  bool speaks() const;

  /// Starts to gather the weights, when the weights in use are out of date or released; gather() waits for
  /// it.
  void prefetch();
  /// The whole weights as autograd leaves, valid until release() or the next update.
  const Weights& gather();
  /// Frees the whole weights (level full only). An autograd graph that saved them stays valid, because
  /// gather() fills the same storage again.
  void release();
  /// The leaves, gathered or not. Their gradients remain when their values are freed.
  const Weights& leaves() const { return leaves_; }

  /// Takes the gradients that autograd stored in the leaves. `last`: no more micro-batches follow, so start
  /// the reduction. Levels gradients and full reduce for every micro-batch.
  void take_gradients(bool last);
  /// Waits for the reductions that take_gradients started, and adds the results to the owned gradient.
  void collect();
  /// Sum the owned gradient over the copies, after the last collect() of a step. There are two calls, so that
  /// the sums of all parts run at once: start all of them, then finish all.
  void start_copies();
  void finish_copies();
  /// Drops the owned gradient.
  void zero_gradients();
  /// Call it when the owned master weights changed: the next gather() returns the new weights.
  void refresh();

 private:
  void start_gather();
  void make_leaves();
  at::Tensor flatten_gradients() const;

  std::string block_;
  std::vector<Parameter> parameters_;
  Shard level_;
  at::ScalarType compute_;
  Replicas replicas_;
  int64_t numel_;
  std::vector<int64_t> sizes_;  ///< owned elements of each rank of the shard group
  Span owned_;
  std::vector<Stretch> stretches_;
  OwnedState state_;
  at::Tensor whole_;   ///< n elements of the compute dtype; without storage while released
  bool stale_ = true;  ///< whole_ does not hold the current weights
  std::optional<Pending> gathering_;
  Weights leaves_;
  at::Tensor local_gradient_;  ///< n elements, fp32, summed over micro-batches: levels none, optimizer
  at::Tensor gradient_;
  std::vector<Pending> reducing_;
  std::optional<Pending> copying_;
};

}  // namespace graticule
