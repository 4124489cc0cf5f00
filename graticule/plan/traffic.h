// The bytes that a rank sends in a training step, in closed form. They equal the bytes that the groups of a
// real run count (traffic_of in comm/mesh.h); a test compares them. docs/planner.md derives the formulas.
#pragma once

#include <string>
#include <vector>

#include "graticule/core/group_of.h"
#include "graticule/recipe/share.h"

namespace graticule {

/// The path of the messages of an exchange.
enum class Pattern {
  ring,       ///< all-gather, all-reduce: each rank sends to the next one
  pairwise,   ///< all-to-all, reduce-scatter: each rank sends to each other rank its part
  neighbour,  ///< each rank sends one message to one other rank
};

/// All exchanges of one pattern in one group, added up over a step.
struct Exchange {
  GroupOf group;
  Pattern pattern;
  int64_t ranks, stride;  ///< size of the group; distance of neighbouring members in the world
  int64_t bytes = 0;      ///< sent by this rank
  int64_t steps = 0;      ///< messages that follow one another; each costs one latency
};

/// The exchanges of a step in which `rank` sends at least one byte.
/// Precondition: trouble_with(axes, options, shape) (recipe/layout.h) is empty.
std::vector<Exchange> exchanges_of_step(const Options& options, const ModelShape& shape, const Axes& axes,
                                        int rank);

}  // namespace graticule
