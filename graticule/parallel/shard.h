// Weights over the ranks that hold the same ones, ZeRO stages 0 to 3, in one or two levels.
//
//   level       weights in use     gradients            master weights and AdamW's moments
//   none        whole, always      whole, all-reduced   whole
//   optimizer   whole, always      whole, then owned    owned span (ZeRO-1)
//   gradients   whole, always      owned span           owned span (ZeRO-2)
//   full        while in use       owned span           owned span (ZeRO-3, FSDP)
//
// Parameters lie one behind the other in one flat buffer of n elements; a rank owns span_of(n, W, rank) of it
// over the W ranks of its shard group, wherever a parameter begins or ends. With several shard groups (two
// levels, as in hybrid sharding: gather within a node, reduce across) the owned gradients are summed over
// their copies once a step. Bytes sent a step a rank, e bytes a weight: gather (W-1) n/W e for each use,
// reduce-scatter (W-1)/W n e, all-reduce of none twice that, of c copies 2 (c-1)/c n/W 4. Master weights and
// sums are fp32, moments fp32 or bf16.
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

struct ShardOptions {
  Shard level = Shard::none;
  Replicas whole;                       ///< of parameters that the tensor axis does not cut
  Replicas cut;                         ///< of those that it cuts
  at::ScalarType compute = at::kFloat;  ///< dtype of the weights in use
  at::Device device = at::kCPU;
  uint64_t seed = 0;                    ///< of the initial weights
  at::ScalarType moments = at::kFloat;  ///< dtype of AdamW's moments: fp32 or bf16
  std::string state_in;  ///< folder of a mapped file for master weights and moments; empty: memory
};

/// A range of the owned span (counted within it) whose parameters share the same weight decay.
struct Stretch {
  Span span;
  bool decay;
};

/// Some parameters of one block, over one set of replicas.
class ShardedPart {
 public:
  ShardedPart(std::string block, std::vector<Parameter> parameters, const ShardOptions& options,
              Replicas replicas);

  /// The block's name; its parameters' full names are block() + "." + name.
  const std::string& block() const { return block_; }
  const std::vector<Parameter>& parameters() const { return parameters_; }
  const Replicas& replicas() const { return replicas_; }
  int64_t numel() const { return numel_; }
  /// What this rank's optimizer updates, as a range of the flat buffer.
  Span owned() const { return owned_; }
  OwnedState& state() { return state_; }
  /// The owned span, cut where weight decay begins or ends.
  const std::vector<Stretch>& stretches() const { return stretches_; }
  /// The summed gradient of the owned span (fp32), after finish_reduce().
  const at::Tensor& owned_gradient() const { return gradient_; }
  /// Of all ranks that own this span, one speaks for it where spans are summed over the world.
  bool speaks() const;

  /// Starts gathering the weights (level full; nothing otherwise). gather() waits for it.
  void prefetch();
  /// The whole weights as autograd leaves, valid until release() or the next update.
  const Weights& gather();
  /// Frees the whole weights (level full). A graph that saved them stays valid: gather() refills the same
  /// storage.
  void release();
  /// The leaves, gathered or not: their gradients stay when their values are gone.
  const Weights& leaves() const { return leaves_; }

  /// Takes the gradients that autograd left in the leaves. `last`: no more micro-batches follow, so start the
  /// reduction (levels gradients and full reduce every time).
  void take_gradients(bool last);
  /// Waits until what take_gradients started is summed over the shard group, and adds it up.
  void collect();
  /// After the last collect() of a step, in three calls so that all parts are under way at once: sums over
  /// the copies.
  void start_copies();
  void finish_copies();
  void zero_gradients();
  /// The owned master weights changed: makes the whole weights follow (by gathering, at the latest on next
  /// use).
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
  at::Tensor whole_;   ///< n elements of the compute dtype; its storage is empty while released
  bool stale_ = true;  ///< whole_ does not hold the current weights
  std::optional<Pending> gathering_;
  Weights leaves_;
  at::Tensor local_gradient_;  ///< whole, fp32: levels none and optimizer, summed over micro-batches
  at::Tensor gradient_;
  std::vector<Pending> reducing_;
  std::optional<Pending> copying_;
};

}  // namespace graticule
