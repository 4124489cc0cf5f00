// Which layout of a cluster's ranks trains a recipe fastest: all that the recipe leaves open, ordered by the
// time of a step, less those that do not fit.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "graticule/core/ledger.h"
#include "graticule/plan/cluster.h"
#include "graticule/plan/layouts.h"
#include "graticule/plan/time.h"

namespace graticule {

/// Of a device's memory, what the runtime takes: libraries, streams, the allocator's rounding.
constexpr double runtime_reserve = 0.08;

struct Question {
  const Cluster& cluster;
  const Options& options;
  const ModelShape& shape;
  int ranks = 1;
  int64_t memory = 0;  ///< bytes of tensors that a rank may hold
};

/// What a rank of `cluster` may hold: train.memory_gib when set, else the device's memory less the reserve.
int64_t usable_memory(const Cluster& cluster, const Options& options);

/// As the recipe runs on the cluster: on GPUs where it has them, whatever device the recipe names, so that a
/// plan does not depend on the processor that makes it. Refuses train.state_in there.
Options options_on(const Cluster& cluster, Options options);

struct Candidate {
  Layout layout;
  StepTime time = {};  ///< of the slowest rank
  Booked memory = {};  ///< of the fullest rank
  int stage = 0;       ///< of the pipeline, whose first rank that is
};

struct Plan {
  /// What fits, the fastest first: the best variant of each product of degrees and context method, or, where
  /// the recipe leaves only one product open, the best variants of it.
  std::vector<Candidate> best;
  std::optional<Candidate> too_large;  ///< the fastest that is faster than the best and does not fit
  std::optional<Candidate> leanest;    ///< where nothing fits: what exceeds the memory by least
  int64_t frames = 0;                  ///< that were compared
};

/// At most `most` of the best; no frames at all where no layout makes that many ranks. Refuses more ranks
/// than the cluster has devices.
Plan plan_layouts(const Question& question, size_t most);

/// What the layout's fullest rank holds, of the first ranks of the pipeline's stages: spans give those the
/// larger shares. Without its time.
Candidate measured(const Question& question, const Layout& layout);

}  // namespace graticule
