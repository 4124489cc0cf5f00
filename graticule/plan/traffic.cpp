// Legend: t this rank's tokens, N tokens of a group, P ranks of a group, C width, D head width, e bytes an
// element (sums in fp32: 4). A function that takes Runs multiplies the bytes of one sample by the samples of
// the runs.

#include "graticule/plan/traffic.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#include "graticule/recipe/passes.h"

namespace graticule {

namespace {

constexpr int64_t fp64_bytes = 8;

/// A group of the mesh, as this rank sees it.
struct Members {
  GroupOf of;
  int64_t ranks, stride, rank;
};

/// Adds up exchanges by group and pattern.
class Bill {
 public:
  /// `bytes`: sent by this rank; `steps`: messages that follow one another.
  void add(const Members& group, Pattern pattern, int64_t bytes, int64_t steps) {
    if (group.ranks == 1) return;
    auto found = std::find_if(items_.begin(), items_.end(), [&](const Exchange& item) {
      return item.group == group.of && item.pattern == pattern;
    });
    if (found == items_.end()) {
      items_.push_back({group.of, pattern, group.ranks, group.stride});
      found = items_.end() - 1;
    }
    found->bytes += bytes * times_, found->steps += steps * times_;
  }
  /// Everything that is added after this call counts `times` times.
  void repeat(int64_t times) { times_ = times; }
  /// An all-gather by a ring.
  void gather(const Members& group, int64_t own_bytes, const Runs& runs) {
    add(group, Pattern::ring, own_bytes * (group.ranks - 1) * runs.samples, (group.ranks - 1) * runs.times);
  }
  /// An all-reduce. Its latency is that of a tree, up and down: sums of few elements over many ranks are
  /// cheap.
  void all_reduce(const Members& group, int64_t elements, int64_t element) {
    const int64_t mine = span_of(elements, group.ranks, group.rank).size();
    const int64_t levels = std::bit_width(static_cast<uint64_t>(group.ranks - 1));
    add(group, Pattern::ring, (elements - mine + mine * (group.ranks - 1)) * element, 2 * levels);
  }
  std::vector<Exchange> items() const {
    std::vector<Exchange> sent;
    std::copy_if(items_.begin(), items_.end(), std::back_inserter(sent),
                 [](const Exchange& item) { return item.bytes > 0; });
    return sent;
  }

 private:
  std::vector<Exchange> items_;
  int64_t times_ = 1;
};

/// The input of all bill_ functions: a part of the model, on this rank.
struct Step {
  const Options& options;
  const Axes& axes;
  const ModelPart& part;
  const ModelShape& shape = part.shape;
  const RankShare& share = part.share;
};

// The tensor axis. Forward: 2 gathers, 2 scatters. Backward: 2 gathers of dy, 2 of x, 2 scatters.
void bill_tensor(Bill& bill, const Step& step, const Runs& forward, const Runs& backward) {
  const RankShare& share = step.share;
  const Members group{GroupOf::tensor, step.axes.tensor, 1, share.place.tensor};
  const int64_t t = share.tokens.size(), row = step.shape.dim * share.element;
  bill.gather(group, 2 * t * row, {2 * forward.times, forward.samples});
  bill.gather(group, 4 * t * row, {4 * backward.times, backward.samples});
  const Runs both = forward + backward;
  bill.add(group, Pattern::pairwise, 2 * (share.layer_tokens - t) * row * both.samples, 2 * both.times);
}

// The tensor axis with a lean block. Each line is an exchange of all tokens, one tile at a time.
//
//   forward    gathers     x for each group of heads; x for the MLP
//              scatters    2
//   again      gathers     x for each group of heads, if attention runs again
//   backward   gathers     MLP: x, dy, x again; dy of the attention branch;
//                          for each group: x to project it, x for the weights, x again for norms of q and k
//              scatters    x1 made again; dx of the MLP; dx of each group
void bill_lean_tensor(Bill& bill, const Step& step, const BlockRuns& runs, int64_t groups) {
  const RankShare& share = step.share;
  const Members group{GroupOf::tensor, step.axes.tensor, 1, share.place.tensor};
  const int64_t t = share.tokens.size(), row = step.shape.dim * share.element;
  const int64_t most = (share.layer_tokens + step.axes.tensor - 1) / step.axes.tensor;
  const int64_t tiles = (most + step.options.train.tile_tokens - 1) / step.options.train.tile_tokens;
  const int64_t projections = step.shape.qk_norm != QkNorm::none ? 3 * groups : 2 * groups;
  const auto gathers = [&](int64_t count, const Runs& of) {
    bill.gather(group, count * t * row, {tiles * count * of.times, of.samples});
  };
  const auto scatters = [&](int64_t count, const Runs& of) {
    bill.add(group, Pattern::pairwise, count * (share.layer_tokens - t) * row * of.samples,
             tiles * count * of.times);
  };
  gathers(groups + 1, runs.once + runs.ahead), scatters(2, runs.once + runs.ahead);
  gathers(groups, runs.attention_again);
  gathers(4 + projections, runs.once), scatters(2 + groups, runs.once);
}

// The ulysses axis. Towards attention a rank sends its tokens of the others' heads; back it sends the others'
// tokens of its own heads.
void bill_ulysses(Bill& bill, const Step& step, const RankShare& share, int64_t head_groups, bool kept,
                  const Runs& forward, const Runs& backward) {
  const Members group{GroupOf::ulysses, step.axes.ulysses, step.axes.tensor, share.place.ulysses};
  const int64_t width = step.shape.head_dim() * share.element;
  int64_t their_queries = 0, their_keys = 0, most_keys = 1;
  for (int64_t rank = 0; rank < group.ranks; ++rank) {
    const HeadShare heads = heads_of(share, group.ranks, rank);
    most_keys = std::max(most_keys, heads.keys.size());
    if (rank == group.rank) continue;
    their_queries += heads.queries.size(), their_keys += heads.keys.size();
  }
  const auto there = [&](int64_t queries, int64_t keys) {
    return share.layer_tokens * (queries * their_queries + keys * their_keys) * width;
  };
  const auto back = [&](int64_t queries, int64_t keys) {
    return (share.query_tokens - share.layer_tokens) *
           (queries * share.own_queries.size() + keys * share.own_keys.size()) * width;
  };
  head_groups = std::min(head_groups, most_keys);
  bill.add(group, Pattern::pairwise, (there(1, 2) + back(1, 0)) * forward.samples,
           2 * head_groups * forward.times);
  bill.add(group, Pattern::pairwise, ((kept ? there(1, 0) : there(3, 2)) + back(1, 2)) * backward.samples,
           2 * head_groups * backward.times);
}

// One pass of a ring: the blocks of a side take P - 1 steps, and what returns takes P.
void bill_ring(Bill& bill, const Step& step, const RankShare& share, const Members& group,
               const SideBytes& side, const Runs& runs) {
  const int64_t S = step.shape.visible_tokens();
  const int64_t steps = group.ranks - 1 + (side.back > 0 ? group.ranks : 0);
  bill.add(group, Pattern::neighbour,
           ((S - share.next_query_tokens) * side.there + S * side.back) * runs.samples, steps * runs.times);
}

// One pass of a grid. `tokens`: of all ranks of the side.
void bill_side(Bill& bill, const RankShare& share, const Members& group, const SideBytes& side,
               int64_t tokens, int64_t messages, const Runs& runs) {
  const int64_t t = share.query_tokens;
  bill.gather(group, t * side.there, {messages * runs.times, runs.samples});
  if (side.back > 0)
    bill.add(group, Pattern::pairwise, (tokens - t) * side.back * runs.samples, messages * runs.times);
}

// The groups of a grid of context ranks: columns and rows. In a line one of them is the whole context group.
struct GridMembers {
  Members queries, keys;
};

GridMembers members_of(const Step& step, const RankShare& share, const ContextGrid& grid) {
  const int64_t stride = int64_t{step.axes.tensor} * step.axes.ulysses, place = share.place.context;
  const bool line = grid.is_line();
  return {{line ? GroupOf::context : GroupOf::context_queries, grid.queries, stride * grid.keys,
           place / grid.keys},
          {line ? GroupOf::context : GroupOf::context_keys, grid.keys, stride, place % grid.keys}};
}

// One pass of the context axis.
void bill_pass(Bill& bill, const Step& step, const RankShare& share, const ContextGrid& grid,
               const PassBytes& pass, const Runs& runs) {
  const ParallelOptions& parallel = step.options.parallel;
  const GridMembers members = members_of(step, share, grid);
  if (parallel.context_method == ContextMethod::ring) {
    const bool queries = grid.queries > 1;
    bill_ring(bill, step, share, queries ? members.queries : members.keys, queries ? pass.queries : pass.keys,
              runs);
    return;
  }
  const int64_t keys = share.own_keys.size();
  const int64_t together = parallel.gather_heads > 0 ? parallel.gather_heads : std::max<int64_t>(keys, 1);
  const int64_t strides = (keys + together - 1) / together;
  const GridTokens tokens = grid_tokens(step.shape, step.axes, share, grid);
  bill_side(bill, share, members.queries, pass.queries, tokens.queries, strides, runs);
  bill_side(bill, share, members.keys, pass.keys, tokens.keys, strides, runs);
}

// The context axis: what core/context_grid counts for a token.
void bill_context(Bill& bill, const Step& step, const RankShare& share, const Runs& forward,
                  const Runs& backward) {
  if (step.axes.context == 1) return;
  const ContextGrids grids = context_grids_of(step.options, step.shape, step.axes);
  const ContextHeads heads{share.own_queries.size(), share.own_keys.size(), step.shape.head_dim(),
                           share.element};
  bill_pass(bill, step, share, grids.forward, forward_bytes(heads), forward);
  bill_pass(bill, step, share, grids.backward, backward_bytes(heads), backward);
}

// The pipeline axis. For each step of train.rollout and each micro-batch a stage sends activations from each
// chunk to the next one, and gradients to the one before.
void bill_pipeline(Bill& bill, const Step& step) {
  const RankShare& share = step.share;
  const int64_t stages = step.axes.pipeline, chunks = step.options.parallel.chunks;
  const int64_t stride = step.axes.world() / stages, stage = share.place.pipeline;
  const int64_t activation = share.tokens.size() * step.shape.dim * share.element * share.samples();
  const auto micro_batches = std::ssize(share.micro_batches);
  const auto send = [&](GroupOf group, bool end_of_model, int64_t times) {
    const int64_t sent = (chunks - (end_of_model ? 1 : 0)) * times;
    bill.add({group, stages, stride, stage}, Pattern::neighbour, sent * activation, sent * micro_batches);
  };
  const int64_t steps = step.options.train.rollout;  // all but the last also run ahead
  send(GroupOf::pipeline, stage + 1 == stages, 2 * steps - 1);
  send(GroupOf::pipeline_back, stage == 0, steps);
  // The last stage sends predictions to all, and the first stage the gradients of the inputs.
  const TokenGrid& grid = step.shape.grid;
  const int64_t values = share.tokens.size() * grid.variables_per_token() * share.samples() * (steps - 1) *
                         ((stage + 1 == stages ? grid.pixels() : 0) + (stage == 0 ? grid.inputs() : 0));
  bill.add({GroupOf::pipeline, stages, stride, stage}, Pattern::neighbour, (stages - 1) * values * fp32_bytes,
           values > 0 ? (stages - 1) * (steps - 1) * micro_batches : 0);
}

Members holders_of_sample(const Step& step) {
  const Place& place = step.share.place;
  return {GroupOf::holders, int64_t{step.axes.sequence()} * step.axes.tensor, 1,
          (place.context * step.axes.ulysses + place.ulysses) * step.axes.tensor + place.tensor};
}

// Tokens that are hidden together.
int64_t tokens_of_mask(const TaskOptions& task, const TokenGrid& grid) {
  if (task.mask == MaskKind::variable) return grid.places();
  if (task.mask == MaskKind::random) return 1;
  int64_t box = 1;
  for (const GridAxis axis : wave_axes(grid)) box *= std::min(task.mask_block, grid.patches(axis));
  return box;
}

// The visible tokens of a masked sequence: a rank embeds those that it has; they are spread evenly for the blocks, and go
// back, in the decoder's width, before it. What moves depends on the mask; this is what is expected. Of S tokens a part m
// is hidden, g together. Before the fraction f of the sequence as many visible tokens are too many or too few as a sum
// with the variance g S m (1 - m) f (1 - f) is off its mean: its deviation times sqrt(2 / pi). They pass from rank to
// rank there, and their gradients the other way.
void bill_visible(Bill& bill, const Step& step, const ModelShape& whole) {
  const Members group = holders_of_sample(step);
  const auto S = static_cast<double>(whole.grid.tokens()), m = whole.decoder.masked;
  const auto variance = static_cast<double>(tokens_of_mask(step.options.task, whole.grid)) * S * m * (1 - m);
  const auto passing = [&](int64_t rank) {
    const double f = static_cast<double>(rank) / static_cast<double>(group.ranks);
    return std::sqrt(2 / std::numbers::pi * variance * f * (1 - f));
  };
  const double tokens = passing(group.rank) + passing(group.rank + 1);
  const Runs& once = step.part.blocks.front().once;
  const bool again = is_lean(step.options.train.activations.value_or(Activations::keep));
  const int64_t passes = again ? 3 : 2;  // forward, backward, forward again: half of `tokens` each
  const int64_t values = step.share.element * (whole.dim + whole.decoder.dim);
  bill.add(group, Pattern::pairwise,
           std::llround(tokens / 2 * static_cast<double>(passes * once.samples * values)),
           2 * passes * once.times);
}

// The sums of all places that tokens know (model/place_sums): forward, backward, and forward again where a masked
// sequence is embedded again.
void bill_place_sums(Bill& bill, const Step& step, const BlockRuns& runs) {
  if (runs.block != 0 || step.shape.entry.dim > 0 || !step.shape.adds_merged()) return;
  const bool masked = step.shape.visible_tokens() < step.shape.grid.tokens(),
             again = masked && is_lean(step.options.train.activations.value_or(Activations::keep));
  const auto micro_batches = std::ssize(step.share.micro_batches);
  bill.repeat(((again ? 3 : 2) * runs.once.times + runs.ahead.times) / micro_batches);
  for (const int64_t samples : step.share.micro_batches) {
    bill.all_reduce(holders_of_sample(step), samples * step.shape.grid.places() * step.shape.dim, fp32_bytes);
  }
}

// The sums that a loss takes over all tokens of a sample (train/task_segment, train/task_pooled).
void bill_loss(Bill& bill, const Step& step) {
  const TaskOptions& task = step.options.task;
  int64_t sums = 0;  // of a sample
  if (task.kind == TaskKind::segment) sums = 3 * task.classes;
  if (task.kind == TaskKind::classify) sums = task.classes + 1;
  if (task.kind == TaskKind::regress) sums = 2;
  if (sums == 0 || step.share.place.pipeline + 1 < step.axes.pipeline) return;  // the last stage has the loss
  for (const int64_t samples : step.share.micro_batches)
    bill.all_reduce(holders_of_sample(step), samples * sums, fp32_bytes);
}

/// The groups of ranks that hold the same weights: `shard` holds them once, `copies` hold the same span of
/// them.
struct Holders {
  Members shard, copies;
};

// The groups of the rank at `place` among `all` ranks that are `stride` apart: shard groups are `size`
// neighbours.
Holders holders_of(GroupOf shard, GroupOf copies, int64_t all, int64_t size, int64_t stride, int64_t place) {
  return {{shard, size, stride, place % size}, {copies, all / size, stride * size, place / size}};
}

void bill_weights(Bill& bill, const Step& step, const Holders& holders, int64_t n, int64_t gathers) {
  if (n == 0) return;
  const Members& group = holders.shard;
  const Shard level = step.options.parallel.shard;
  const int64_t own = span_of(n, group.ranks, group.rank).size(), e = step.share.element;
  const int64_t passes = std::ssize(step.share.micro_batches) * step.options.train.rollout;
  if (level != Shard::none) {
    const int64_t times = level == Shard::full ? gathers : 1;
    bill.add(group, Pattern::ring, own * (group.ranks - 1) * e * times, (group.ranks - 1) * times);
  }
  switch (level) {
    case Shard::none:
      bill.all_reduce(group, n, fp32_bytes);
      break;
    case Shard::optimizer:
      bill.add(group, Pattern::pairwise, (n - own) * fp32_bytes, 1);
      break;
    case Shard::gradients:
    case Shard::full:
      bill.add(group, Pattern::pairwise, (n - own) * e * passes, passes);
      break;
  }
  bill.all_reduce(holders.copies, level == Shard::none ? n : own, fp32_bytes);
}

void bill_block_weights(Bill& bill, const Step& step, const BlockRuns& runs) {
  const Axes& axes = step.axes;
  const Place& place = step.share.place;
  const int64_t replicas = int64_t{axes.data} * axes.sequence(), P = axes.tensor;
  const int64_t shard = step.options.parallel.shard_ranks > 0 ? step.options.parallel.shard_ranks : replicas;
  const int64_t replica = (place.data * axes.context + place.context) * axes.ulysses + place.ulysses;
  const BlockParameters n = parameters_of_block(runs.block, step.share, step.shape, axes);
  bill_weights(bill, step,
               holders_of(GroupOf::whole_weights, GroupOf::whole_copies, replicas * P, shard * P, 1,
                          replica * P + place.tensor),
               n.whole, runs.gathers);
  bill_weights(bill, step, holders_of(GroupOf::cut_weights, GroupOf::cut_copies, replicas, shard, P, replica),
               n.cut, runs.gathers);
}

// The exchanges of `blocks` equal transformer blocks that run as lean pairs.
void bill_lean_blocks(Bill& bill, const Step& step, const BlockRuns& runs, int64_t blocks) {
  RankShare one = step.share;
  one.micro_batches.clear();  // the exchange of a group depends only on its heads
  const auto shares = head_group_shares(one, step.options, step.shape, step.axes);
  bill_lean_tensor(bill, step, runs, std::ssize(shares));
  const Runs forward = runs.once + runs.ahead + runs.attention_again;
  for (auto first = shares.begin(), next = first; first != shares.end(); first = next) {
    next = std::find_if(first, shares.end(),
                        [&](const RankShare& share) { return share.keys.size() != first->keys.size(); });
    bill.repeat(blocks * (next - first));
    bill_ulysses(bill, step, *first, 1, false, forward, runs.once);
    bill_context(bill, step, *first, forward, runs.once);
  }
}

// The exchanges of `blocks` equal transformer blocks. What runs forward alone runs as a lean pair's forward.
void bill_blocks(Bill& bill, const Step& step, const BlockRuns& runs, int64_t blocks) {
  bill.repeat(blocks);
  if (is_lean(step.options.train.activations.value_or(Activations::keep))) {
    bill_lean_blocks(bill, step, runs, blocks);
    return;
  }
  const ParallelOptions& parallel = step.options.parallel;
  bill_tensor(bill, step, runs.once, runs.once);
  bill_ulysses(bill, step, step.share, parallel.head_groups, parallel.keep_exchanged, runs.once, runs.once);
  bill_context(bill, step, step.share, runs.once, runs.once);
  if (runs.ahead.times > 0) bill_lean_blocks(bill, step, {.block = runs.block, .ahead = runs.ahead}, blocks);
}

}  // namespace

std::vector<Exchange> exchanges_of_step(const Options& options, const ModelShape& shape, const Axes& axes,
                                        int rank) {
  const std::vector<ModelPart> parts = parts_of_model(options, shape, axes, rank);
  Bill bill;
  for (const ModelPart& part : parts) {
    const Step step{options, axes, part};
    for (const auto& [runs, count] : alike_blocks(part)) {
      bill.repeat(count);
      bill_block_weights(bill, step, runs);
      if (part.is_transformer(runs.block)) bill_blocks(bill, step, runs, count);
      bill_place_sums(bill, step, runs);
    }
  }
  bill.repeat(1);
  const Step first{options, axes, parts.front()};
  bill_pipeline(bill, first);
  if (shape.has_decoder()) bill_visible(bill, first, shape);
  bill_loss(bill, first);
  // Two sums over the world: {squared error, weight, wish to stop}, and the square of the gradient's norm.
  const Members world{GroupOf::world, axes.world(), 1, rank};
  bill.all_reduce(world, 3, fp64_bytes);
  bill.all_reduce(world, 1, fp64_bytes);
  return bill.items();
}

}  // namespace graticule
