// A large machine repeats itself: replicas at equal places in it run the same step at the same times. The
// simulator plays one *block* of each pipeline stage, and the other blocks do the same.
//
// The moved rank of a rank is the one that is a block further in its stage, cyclically. If moving all ranks maps
// equal traces, groups, nodes and switches to each other, then every link of a block has as many messages of the
// same lengths as its image in the next block, and both share them alike. So nothing is lost if only one block
// is played, with its messages to other blocks arriving at itself. blocks_of checks that this is so.
#pragma once

#include <cstdint>

#include "graticule/dry/world_traces.h"
#include "graticule/plan/cluster.h"

namespace graticule {

/// The blocks of a world. The first block of each stage is played.
struct Blocks {
  int64_t stage;  ///< ranks of a pipeline stage; they are consecutive
  int64_t block;  ///< ranks of a block; divides `stage`

  /// The played rank that does what `rank` does.
  int64_t image(int64_t rank) const { return rank - rank % stage + rank % stage % block; }
  bool plays(int64_t rank) const { return image(rank) == rank; }
};

/// The smallest blocks of whole nodes, and of whole switches if the world has several, that all do the same. What
/// ranks at equal places give to an exchange may differ by `bytes`: one element of a span, which is nanoseconds. With
/// 0 the blocks are exact. One block a stage if there are none smaller.
Blocks blocks_of(const WorldTraces& traces, const Cluster& cluster, int64_t bytes = 4);

}  // namespace graticule
