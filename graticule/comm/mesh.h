// The mesh: named axes turned into groups. A value that is handed in; there is no global one.
#pragma once

#include "graticule/comm/group.h"
#include "graticule/comm/launch.h"
#include "graticule/core/axes.h"

namespace graticule {

/// Every group a rank needs. Group sizes equal the axis degrees.
struct Mesh {
  Axes axes;
  int rank = 0;  ///< in the world
  Group world;   ///< all ranks
  Group pipeline, data, context, ulysses, tensor;
  /// context x ulysses: the ranks that share one sample's tokens; rank = context * U + ulysses.
  Group sequence;
  /// data x context x ulysses: the ranks that hold the same weights (the sharding group).
  Group replicas;

  int coordinate(Axis axis) const { return axes.coordinate(axis, rank); }
};

/// Makes the groups; collective over the world. Refuses axes whose product is not the world's size, naming
/// degrees that fit.
Mesh make_mesh(const World& world, const Axes& axes);

}  // namespace graticule
