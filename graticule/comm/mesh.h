// The mesh: the groups of ranks that belong to the named axes (core/axes.h). A Mesh is a value that functions
// receive; there is no global mesh.
#pragma once

#include <map>
#include <string>

#include "graticule/comm/group.h"
#include "graticule/comm/launch.h"
#include "graticule/core/axes.h"
#include "graticule/core/context_grid.h"

namespace graticule {

/// The ranks with the same weights, in two levels. Each `shard` group stores the weights once, spread over
/// its ranks. Rank i of every shard group has the same span; these ranks are one group `copies`.
struct Replicas {
  Group shard;
  Group copies;
};

/// All groups of one rank. The size of an axis's group is the axis's degree.
struct Mesh {
  Axes axes;
  int rank = 0;  ///< in the world
  Group world;   ///< all ranks
  Group pipeline, data, context, ulysses, tensor;
  /// The column and the row of this rank in a grid of context ranks; alone where the grid is a line.
  Group context_queries, context_keys;
  /// The same ranks as `pipeline`. Gradients use this group, so that no gradient waits behind an activation.
  Group pipeline_back;
  /// context x ulysses: the ranks that share one sample's tokens; rank = context rank * U + ulysses rank,
  /// where U is the degree of ulysses.
  Group sequence;
  /// context x ulysses x tensor: all ranks that have tokens of one sample, in the order of the tokens.
  Group holders;
  /// data x context x ulysses x tensor: the ranks of one pipeline stage. They have the same blocks of the
  /// model.
  Group stage;
  /// `whole`: replicas of weights that are equal on all ranks of a stage. `cut`: replicas of weights that the
  /// tensor axis cuts; they are equal on data x context x ulysses.
  Replicas whole, cut;

  /// This rank's coordinate on an axis.
  int coordinate(Axis axis) const { return axes.coordinate(axis, rank); }
};

/// Makes the groups. Collective over the world. `shard_ranks`: how many neighbours of data x context x
/// ulysses form one shard group; 0: all of them. Refuses axes whose product is not the world's size, and
/// names degrees that fit. Refuses shard_ranks that do not divide data x context x ulysses. A shard group of
/// `whole` has shard_ranks x tensor ranks. `grid`: of the context ranks; a line needs no groups of its own.
Mesh make_mesh(const World& world, const Axes& axes, int shard_ranks = 0, const ContextGrid& grid = {});

/// The traffic of this rank so far, by group label. Groups that sent nothing are left out.
std::map<std::string, Traffic> traffic_of(const Mesh& mesh);

/// check_order (comm/order.h) for every group. Collective; call it at the end of a step.
void check_order(const Mesh& mesh);

}  // namespace graticule
