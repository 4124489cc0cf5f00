#include "graticule/recipe/share.h"

#include <algorithm>
#include <numeric>

namespace graticule {

namespace {

// Coordinates in the order of Axes: tensor neighbours are adjacent ranks.
Place place_of(const Axes& axes, int rank) {
  Place place{};
  place.tensor = rank % axes.tensor, rank /= axes.tensor;
  place.ulysses = rank % axes.ulysses, rank /= axes.ulysses;
  place.context = rank % axes.context, rank /= axes.context;
  place.data = rank % axes.data, place.pipeline = rank / axes.data;
  return place;
}

std::vector<int64_t> micro_batches_of(const Options& options, const Axes& axes, int64_t data) {
  return span_sizes(span_of(options.data.batch, axes.data, data).size(), options.parallel.micro_batches);
}

// The number of tokens of `count` neighbouring parts, from part `first` on. Tokens are spread over context x
// ulysses x tensor.
int64_t tokens_of(const ModelShape& shape, const Axes& axes, int64_t first, int64_t count) {
  const int64_t S = shape.visible_tokens(), holders = int64_t{axes.sequence()} * axes.tensor;
  return span_of(S, holders, first + count - 1).end - span_of(S, holders, first).begin;
}

}  // namespace

int64_t RankShare::samples() const {
  return std::accumulate(micro_batches.begin(), micro_batches.end(), int64_t{0});
}

RankShare rank_share(const Options& options, const ModelShape& shape, const Axes& axes, int rank) {
  const Place place = place_of(axes, rank);
  const int64_t sequence = place.context * axes.ulysses + place.ulysses, P = axes.tensor;
  const int64_t holders = axes.sequence() * P, queries_a_key = shape.heads / shape.key_heads();
  RankShare share{};
  share.place = place;
  share.micro_batches = micro_batches_of(options, axes, place.data);
  share.tokens = span_of(shape.visible_tokens(), holders, sequence * P + place.tensor);
  share.layer_tokens = tokens_of(shape, axes, sequence * P, P);
  const auto query_tokens = [&](int64_t context) {
    return tokens_of(shape, axes, context % axes.context * axes.ulysses * P, axes.ulysses * P);
  };
  share.query_tokens = query_tokens(place.context);
  share.next_query_tokens = query_tokens(place.context + 1);
  share.keys = span_of(shape.key_heads(), P, place.tensor);
  share.queries = {share.keys.begin * queries_a_key, share.keys.end * queries_a_key};
  share.hidden = span_of(shape.hidden(), P, place.tensor);
  const HeadShare own = heads_of(share, axes.ulysses, place.ulysses);
  share.own_queries = own.queries, share.own_keys = own.keys;
  share.element = bytes_of(options.train.precision);
  return share;
}

HeadShare heads_of(const RankShare& share, int64_t ulysses_ranks, int64_t ulysses_rank) {
  const int64_t queries_a_key = share.queries.size() / share.keys.size();
  const Span queries = span_of(share.queries.size(), ulysses_ranks, ulysses_rank);
  const int64_t first = queries.begin / queries_a_key;
  return {queries, {first, queries.empty() ? first : (queries.end - 1) / queries_a_key + 1}};
}

ContextGrids context_grids_of(const Options& options, const ModelShape& shape, const Axes& axes) {
  const int64_t parts = int64_t{axes.ulysses} * axes.tensor;
  return context_grids(options.parallel, axes.context,
                       {.queries = shape.heads,
                        .keys = std::max(shape.key_heads(), parts),
                        .width = shape.head_dim(),
                        .element = bytes_of(options.train.precision)});
}

GridTokens grid_tokens(const ModelShape& shape, const Axes& axes, const RankShare& share,
                       const ContextGrid& grid) {
  const int64_t parts = int64_t{axes.ulysses} * axes.tensor, row = share.place.context / grid.keys;
  GridTokens tokens{0, tokens_of(shape, axes, row * grid.keys * parts, grid.keys * parts)};
  for (int64_t i = 0; i < grid.queries; ++i) {
    const int64_t rank = i * grid.keys + share.place.context % grid.keys;
    tokens.queries += tokens_of(shape, axes, rank * parts, parts);
  }
  return tokens;
}

std::vector<RankShare> head_group_shares(const RankShare& share, const Options& options,
                                         const ModelShape& shape, const Axes& axes) {
  const int64_t groups = head_group_count(shape, options.parallel.head_groups, axes.tensor);
  const int64_t queries_a_key = share.queries.size() / share.keys.size();
  std::vector<RankShare> shares;
  for (const int64_t keys : span_sizes(share.keys.size(), groups)) {
    RankShare& one = shares.emplace_back(share);
    one.keys = {0, keys}, one.queries = {0, keys * queries_a_key};
    const HeadShare own = heads_of(one, axes.ulysses, share.place.ulysses);
    one.own_queries = own.queries, one.own_keys = own.keys;
  }
  return shares;
}

BlockParameters parameters_of_block(int64_t block, const RankShare& share, const ModelShape& shape,
                                    const Axes& axes) {
  if (block == 0) return {tokenizer_parameters(shape), 0};
  if (block > shape.depth) return {head_parameters(shape), 0};
  const int64_t C = shape.dim, D = shape.head_dim(), all = block_parameters(shape);
  if (axes.tensor == 1) return {all, 0};
  const int64_t norms = 2 * 2 * C + (shape.qk_norm == QkNorm::layer ? 2 * 2 * D : 0), whole = norms + 2 * C;
  const int64_t H = share.queries.size(), G = share.keys.size(), hidden = share.hidden.size();
  const int64_t attention =
      shape.projection_rows(H, G) * (C + 1) + shape.query_key_parameters(H, G) + C * H * D;
  return {whole, attention + hidden * (C + 1) + C * hidden};  // whole: norms, and the biases of out and fc2
}

}  // namespace graticule
