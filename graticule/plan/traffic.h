// What a rank sends in a training step, in closed form: exactly the bytes that its groups count
// (traffic_of in comm/mesh.h). docs/planner.md derives the formulas.
#pragma once

#include <string>
#include <vector>

#include "graticule/core/group_of.h"
#include "graticule/recipe/share.h"

namespace graticule {

/// How the messages of an exchange go.
enum class Pattern {
  ring,       ///< all-gather, all-reduce: what a rank sends passes every other rank
  pairwise,   ///< all-to-all, reduce-scatter: to each rank what is its own
  neighbour,  ///< from rank to rank
};

/// All exchanges of one pattern in one group, over a step.
struct Exchange {
  GroupOf group;
  Pattern pattern;
  int64_t ranks, stride;  ///< of the group: its members are `stride` apart in the world
  int64_t bytes = 0;      ///< that this rank sends
  int64_t steps = 0;      ///< messages one behind another, for latency
};

/// The exchanges of a step of `rank`, those that send something. The layout must be one that trouble_with
/// finds nothing wrong with.
std::vector<Exchange> exchanges_of_step(const Options& options, const ModelShape& shape, const Axes& axes,
                                        int rank);

}  // namespace graticule
