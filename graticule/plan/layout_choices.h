// Enumerates the layouts that the planner compares, for given degrees. It does so in two levels.
//
// A *frame* fixes the degrees, the context method, the schedule with its chunks, the micro-batches and the
// activation policy. The *variants* of a frame add how weights are sharded (parallel.shard, shard_ranks) and
// how heads are exchanged (head_groups, gather_heads, keep_exchanged). A recipe's own keys are never changed.
#pragma once

#include <vector>

#include "graticule/plan/layouts.h"

namespace graticule {

/// All frames for these degrees, each once. A key that the recipe names keeps its value; any other takes each
/// value that can make a difference (docs/planner.md). The keys of the variants have the recipe's values, or
/// the defaults.
std::vector<Layout> frames_of(const Options& options, const ModelShape& shape, const Axes& axes);

/// All variants of a frame, the simplest first: the least sharding, and one exchange of all heads. `devices`:
/// ranks of a node.
std::vector<Layout> variants_of(const Options& options, const ModelShape& shape, const Layout& frame,
                                int64_t devices);

/// The variants that can be the smallest in memory: for each level of sharding, the one over most ranks with
/// the smallest exchanges. All levels are needed: for a small model the gathered weights of `full` can take
/// more memory than they save. `variants`: in the order of variants_of.
std::vector<Layout> leanest_variants(const std::vector<Layout>& variants);

}  // namespace graticule
