// Computes, in sizes only, which part of a training step one rank has: its place in the mesh, its samples,
// tokens and heads. These are the same splits as in the program (train/build, model/block,
// attention/head_cuts), computed with core/span alone. The planner (plan/) uses it.
//
// Legend: S all tokens, P the degree of the tensor axis, H query heads, G key/value heads.
#pragma once

#include <vector>

#include "graticule/core/axes.h"
#include "graticule/core/context_grid.h"
#include "graticule/core/model_shape.h"
#include "graticule/core/span.h"
#include "graticule/recipe/options.h"

namespace graticule {

/// A rank's coordinates in the mesh.
struct Place {
  int64_t pipeline, data, context, ulysses, tensor;
};

struct RankShare {
  Place place;
  std::vector<int64_t> micro_batches;  ///< samples of each micro-batch
  /// Of a sample, between the layers; global numbers, of a masked shape among the visible tokens.
  Span tokens;
  /// Numbers of tokens: of its tensor group (its linear layers see them), of its ulysses group (it attends
  /// with their queries), and of the next ulysses group on the context axis, cyclic.
  int64_t layer_tokens, query_tokens, next_query_tokens;
  Span queries, keys, hidden;  ///< cut by tensor: query heads of H, key heads of G, units of the MLP
  Span own_queries, own_keys;  ///< its part of these in ulysses, counted from the first of `queries`, `keys`
  int64_t element;             ///< bytes of one element of activations and of weights in use

  /// Samples of all its micro-batches.
  int64_t samples() const;
};

/// The share of rank `rank` in the world that `axes` make. The layout must be one for which trouble_with
/// (recipe/layout.h) returns nothing.
RankShare rank_share(const Options& options, const ModelShape& shape, const Axes& axes, int rank);

/// The query and key heads of one ulysses rank of the group, split in the same way.
struct HeadShare {
  Span queries, keys;
};
HeadShare heads_of(const RankShare& share, int64_t ulysses_ranks, int64_t ulysses_rank);

/// The grids of the context ranks, one choice for the whole job. It counts bytes with the heads that a ulysses
/// rank has on average: key heads may be on several ranks.
ContextGrids context_grids_of(const Options& options, const ModelShape& shape, const Axes& axes);

/// The numbers of query tokens in the column and in the row of a rank in a grid of context ranks.
struct GridTokens {
  int64_t queries, keys;
};
GridTokens grid_tokens(const ModelShape& shape, const Axes& axes, const RankShare& share,
                       const ContextGrid& grid);

/// The rank's share for each group of heads, as the lean pair (model/lean_block.h) takes them: only the heads
/// differ, and they are counted from the first of the group.
std::vector<RankShare> head_group_shares(const RankShare& share, const Options& options,
                                         const ModelShape& shape, const Axes& axes);

/// Parameters of a block on this rank: `whole`, those that the tensor axis does not cut, and `cut`, its part of the
/// others. When tensor is 1, all are whole. `block`: 0 the tokenizer (or a decoder's entry), 1 .. depth transformer
/// blocks, depth + 1 the head.
struct BlockParameters {
  int64_t whole, cut;
};
BlockParameters parameters_of_block(int64_t block, const RankShare& share, const ModelShape& shape,
                                    const Axes& axes);

}  // namespace graticule
