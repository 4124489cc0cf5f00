// What a planner chooses from: every layout that a recipe leaves open. A *frame* is the degrees, the context
// method, the schedule, the micro-batches and the activation policy; a frame's *variants* are how its weights
// are sharded and how its heads are exchanged.
#pragma once

#include <vector>

#include "graticule/plan/layouts.h"

namespace graticule {

/// The frames of these degrees, each with its first variant: keys that the recipe names stay as they are, all
/// others take the values that make a difference (docs/planner.md). None is given twice.
std::vector<Layout> frames_of(const Options& options, const ModelShape& shape, const Axes& axes);

/// The variants of a frame, itself the first: one exchange of all heads, the least sharding. A node has
/// `devices` ranks.
std::vector<Layout> variants_of(const Options& options, const ModelShape& shape, const Layout& frame,
                                int64_t devices);

/// The variants that may hold the least: of each level of sharding that over most ranks, with the smallest
/// exchanges. Small models hold more when sharded fully, for what is gathered.
std::vector<Layout> leanest_variants(const std::vector<Layout>& variants);

}  // namespace graticule
