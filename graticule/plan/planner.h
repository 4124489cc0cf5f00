// The planner: finds the fastest layout of a recipe on a cluster. It compares all layouts that the recipe
// leaves open, by the time of a step (time.h), and leaves out those that do not fit in memory (footprint).
// `graticule plan` prints its answer; training uses it for a recipe without [parallel] (dry/choose_layout.h).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "graticule/core/ledger.h"
#include "graticule/plan/cluster.h"
#include "graticule/plan/layouts.h"
#include "graticule/plan/time.h"

namespace graticule {

/// The share of a device's memory that is kept free for the runtime: libraries, streams, the allocator's
/// rounding.
constexpr double runtime_reserve = 0.08;

/// The input of a plan.
struct Question {
  const Cluster& cluster;
  const Options& options;
  const ModelShape& shape;
  int ranks = 1;
  int64_t memory = 0;  ///< bytes of tensors that a rank may hold
};

/// Bytes of tensors that a rank of `cluster` may hold: train.memory_gib if it is set, else the memory of the
/// device without the reserve.
int64_t usable_memory(const Cluster& cluster, const Options& options);

/// The recipe as it would run on the cluster. On a cluster of GPUs train.device becomes "cuda", so a plan
/// does not depend on the processor that makes it; train.state_in is refused there.
Options options_on(const Cluster& cluster, Options options);

/// A layout with its cost.
struct Candidate {
  Layout layout;
  StepTime time = {};  ///< of the slowest rank
  Booked memory = {};  ///< of the fullest rank
  int stage = 0;       ///< pipeline stage of the fullest rank
};

struct Plan {
  /// Layouts that fit, the fastest first: one for each combination of degrees and context method. If the
  /// recipe leaves only one combination open: the fastest layouts of that one.
  std::vector<Candidate> best;
  /// The fastest layout that does not fit, if it is faster than the best.
  std::optional<Candidate> too_large;
  std::optional<Candidate> leanest;  ///< if nothing fits: the layout with the smallest memory
  int64_t frames = 0;                ///< number of frames (layout_choices.h) that were considered
};

/// A plan with at most `most` layouts in `best`. No layout makes `ranks` ranks: frames = 0. Refuses ranks
/// below 1 and more ranks than the cluster has devices. Not collective.
Plan plan_layouts(const Question& question, size_t most);

/// The candidate with the memory of its fullest rank; its time stays 0. Only the first rank of each pipeline
/// stage is counted: span_of gives it the larger shares.
Candidate measured(const Question& question, const Layout& layout);

}  // namespace graticule
