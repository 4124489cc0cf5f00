// The mesh: named axes turned into groups. A value that is handed in; there is no global one.
#pragma once

#include <map>
#include <string>

#include "graticule/comm/group.h"
#include "graticule/comm/launch.h"
#include "graticule/core/axes.h"

namespace graticule {

/// Ranks that hold the same weights, in two levels: each `shard` group holds them once, spread over its
/// ranks; rank i of every shard group holds the same span, and these ranks are a group of `copies`.
struct Replicas {
  Group shard;
  Group copies;
};

/// Every group a rank needs. Group sizes equal the axis degrees.
struct Mesh {
  Axes axes;
  int rank = 0;  ///< in the world
  Group world;   ///< all ranks
  Group pipeline, data, context, ulysses, tensor;
  /// The ranks of `pipeline` once more: gradients travel here, so that none waits behind an activation.
  Group pipeline_back;
  /// context x ulysses: the ranks that share one sample's tokens; rank = context * U + ulysses.
  Group sequence;
  /// context x ulysses x tensor: the ranks that hold one sample's tokens, in the order of the tokens.
  Group holders;
  /// data x context x ulysses x tensor: the ranks that hold the same blocks of the model.
  Group stage;
  /// Of weights that are the same on all ranks of a stage, and of those that the tensor axis cuts (there data
  /// x context x ulysses hold the same).
  Replicas whole, cut;

  int coordinate(Axis axis) const { return axes.coordinate(axis, rank); }
};

/// Makes the groups; collective over the world. `shard_ranks`: how many of data x context x ulysses form one
/// shard group, neighbours first; 0: all. Refuses axes whose product is not the world's size, naming degrees
/// that fit, and shard_ranks that do not divide.
Mesh make_mesh(const World& world, const Axes& axes, int shard_ranks = 0);

/// What this rank has sent so far, by group label; groups that sent nothing are left out.
std::map<std::string, Traffic> traffic_of(const Mesh& mesh);

/// check_order (comm/order.h) of every group, at the end of a step; collective.
void check_order(const Mesh& mesh);

}  // namespace graticule
