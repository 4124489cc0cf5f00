#include "graticule/plan/work.h"

namespace graticule {

namespace {

Work operator*(const Work& work, const Work& by) {
  return {work.linear * by.linear, work.attention * by.attention};
}

/// The pairs of a query and a key that a rank attends with, in one head: the tokens of its column times those of its row in
/// the grid of the context ranks.
struct Pairs {
  double forward, backward;
};
Pairs pairs_of(const Options& options, const RankShare& share, const ModelShape& shape, const Axes& axes) {
  const ContextGrids grids = context_grids_of(options, shape, axes);
  const auto in = [&](const ContextGrid& grid) {
    const GridTokens tokens = grid_tokens(shape, axes, share, grid);
    return static_cast<double>(tokens.queries) * static_cast<double>(tokens.keys);
  };
  return {in(grids.forward), in(grids.backward)};
}

// Forward of one sample through a transformer block. Linear layers: this rank's heads and hidden units, over
// the tokens of its tensor group. Attention: so many pairs, in the heads that ulysses leaves it.
Work block_forward(const RankShare& share, const ModelShape& shape, double pairs) {
  const auto C = static_cast<double>(shape.dim), D = static_cast<double>(shape.head_dim());
  const int64_t queries = share.queries.size(), keys = share.keys.size();
  const auto qkv_out = static_cast<double>(shape.projection_rows(queries, keys) + queries * shape.head_dim());
  const auto mlp = static_cast<double>(2 * share.hidden.size());
  return {2 * static_cast<double>(share.layer_tokens) * C * (qkv_out + mlp),
          4 * pairs * static_cast<double>(share.own_queries.size()) * D};
}

// The forward products that the backward of a lean block repeats: the output projection (for x1), the MLP's
// first layer, and the projection to q, k, v: once for each group, once more if q and k have norms, once more
// if attention runs again.
Work block_again(const RankShare& share, const ModelShape& shape, bool attention, double pairs) {
  const auto C = static_cast<double>(shape.dim), D = static_cast<double>(shape.head_dim());
  const int64_t queries = share.queries.size();
  const auto rows = static_cast<double>(shape.projection_rows(queries, share.keys.size()));
  const double projections = 1 + (shape.qk_norm != QkNorm::none ? 1 : 0) + (attention ? 1 : 0);
  const double width =
      static_cast<double>(queries) * D + projections * rows + static_cast<double>(share.hidden.size());
  return {2 * static_cast<double>(share.layer_tokens) * C * width,
          attention ? block_forward(share, shape, pairs).attention : 0};
}

// Forward of one sample through a block. Tokenizer and head work token by token, so a rank has its share of
// tokens.
Work forward_of(int64_t block, const RankShare& share, const ModelShape& shape, double pairs) {
  if (block > 0 && block <= shape.depth) return block_forward(share, shape, pairs);
  const Flops all = flops(shape);
  const double part = static_cast<double>(share.tokens.size()) / static_cast<double>(shape.visible_tokens());
  return {part * (block == 0 ? all.tokenizer : all.head), 0};
}

// The share as a lean block has it: it cuts each group of heads over the ulysses ranks by itself, so the rank
// may attend with other query heads.
RankShare lean_share(RankShare share, const Options& options, const ModelShape& shape, const Axes& axes) {
  int64_t queries = 0;
  for (const RankShare& group : head_group_shares(share, options, shape, axes))
    queries += group.own_queries.size();
  share.own_queries = {0, queries};
  return share;
}

Work samples(const Runs& linear, const Runs& attention) {
  return {static_cast<double>(linear.samples), static_cast<double>(attention.samples)};
}

}  // namespace

StepWork work_of_part(const Options& options, const ModelPart& part, const Axes& axes) {
  const Work by_backward{2, 2.5};  // backward / forward: 2 products for each one; 5 for the 2 of attention
  const ModelShape& shape = part.shape;
  const RankShare lean = lean_share(part.share, options, shape, axes);  // also of what runs forward alone
  const bool runs_lean = is_lean(options.train.activations.value_or(Activations::keep));
  const RankShare& share = runs_lean ? lean : part.share;
  const Pairs pairs = pairs_of(options, share, shape, axes);
  StepWork step;
  for (const auto& [runs, count] : alike_blocks(part)) {
    const Work blocks{static_cast<double>(count), static_cast<double>(count)};
    const Work forward = blocks * forward_of(runs.block, share, shape, pairs.forward);
    step.forward =
        step.forward + forward * samples(runs.once, runs.once) +
        blocks * forward_of(runs.block, lean, shape, pairs.forward) * samples(runs.ahead, runs.ahead);
    step.backward = step.backward + by_backward * blocks *
                                        forward_of(runs.block, share, shape, pairs.backward) *
                                        samples(runs.once, runs.once);
    if (!runs_lean) continue;
    const bool attention = runs.attention_again.times > 0;
    const Work again = part.is_transformer(runs.block)
                           ? blocks * block_again(share, shape, attention, pairs.forward)
                           : forward;
    step.again = step.again + again * samples(runs.once, runs.once);
  }
  return step;
}

StepWork work_of_step(const Options& options, const ModelShape& shape, const Axes& axes, int rank) {
  StepWork step;
  for (const ModelPart& part : parts_of_model(options, shape, axes, rank))
    step = step + work_of_part(options, part, axes);
  return step;
}

}  // namespace graticule
