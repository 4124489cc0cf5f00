// What one rank holds of a training step, in sizes: its place in the mesh, its samples, tokens and heads. The
// same splits as the program makes (train/build, model/block, attention/head_cuts), by core/span alone.
//
// Legend: S all tokens, P the degree of the tensor axis, H query heads, G key/value heads.
#pragma once

#include <vector>

#include "graticule/core/axes.h"
#include "graticule/core/model_shape.h"
#include "graticule/core/span.h"
#include "graticule/recipe/options.h"

namespace graticule {

/// A rank's coordinates.
struct Place {
  int64_t pipeline, data, context, ulysses, tensor;
};

struct RankShare {
  Place place;
  std::vector<int64_t> micro_batches;  ///< samples of each
  Span tokens;                         ///< of a sample, between the layers; global
  /// Tokens of its tensor group (which its linear layers see), of its ulysses group (whose queries it attends
  /// with), and of the ulysses group behind it on the context axis, cyclic.
  int64_t layer_tokens, query_tokens, next_query_tokens;
  Span queries, keys, hidden;  ///< cut by tensor: query heads of H, key heads of G, units of the MLP
  Span own_queries, own_keys;  ///< what ulysses leaves of them, counted from the first of `queries`, `keys`
  int64_t element;             ///< bytes of an activation, and of a weight in use

  int64_t samples() const;
};

/// `rank` of the world that `axes` make, for a layout that trouble_with (recipe/layout.h) finds nothing wrong
/// with.
RankShare rank_share(const Options& options, const ModelShape& shape, const Axes& axes, int rank);

/// The same split for another ulysses rank of the group: query and key heads.
struct HeadShare {
  Span queries, keys;
};
HeadShare heads_of(const RankShare& share, int64_t ulysses_ranks, int64_t ulysses_rank);

/// A block's attention a group of heads at a time, as its lean pair takes them: the rank's share with the
/// heads of each group alone, counted from the group's first.
std::vector<RankShare> head_group_shares(const RankShare& share, const Options& options,
                                         const ModelShape& shape, const Axes& axes);

/// Parameters of a transformer block that this rank's tensor cut leaves whole, and its part of the others;
/// all of them whole where tensor is 1.
struct BlockParameters {
  int64_t whole, cut;
};
BlockParameters block_parameters_of(const RankShare& share, const ModelShape& shape, const Axes& axes);

}  // namespace graticule
