// Legend: t this rank's tokens, N those of a group, P ranks of a group, C width, D head width, e bytes an
// element; fp32 sums have 4. All bytes are of one sample where a function takes Runs.

#include "graticule/plan/traffic.h"

#include <algorithm>
#include <bit>

#include "graticule/recipe/passes.h"

namespace graticule {

namespace {

constexpr int64_t fp32_bytes = 4, fp64_bytes = 8;

/// A group of the mesh, as this rank sees it.
struct Members {
  GroupOf of;
  int64_t ranks, stride, rank;
};

/// Adds up what goes by one pattern through one group.
class Bill {
 public:
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
  /// What is added from now on counts `times` times.
  void repeat(int64_t times) { times_ = times; }
  void gather(const Members& group, int64_t own_bytes, const Runs& runs) {
    add(group, Pattern::ring, own_bytes * (group.ranks - 1) * runs.samples, (group.ranks - 1) * runs.times);
  }
  /// In a tree up and down, so that many ranks may sum little.
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

/// What every bill reads.
struct Step {
  const Options& options;
  const ModelShape& shape;
  const Axes& axes;
  const RankShare share;
};

// Forward two gathers and two scatters; backward two gathers of dy, two of x, two scatters.
void bill_tensor(Bill& bill, const Step& step, const Runs& forward, const Runs& backward) {
  const RankShare& share = step.share;
  const Members group{GroupOf::tensor, step.axes.tensor, 1, share.place.tensor};
  const int64_t t = share.tokens.size(), row = step.shape.dim * share.element;
  bill.gather(group, 2 * t * row, {2 * forward.times, forward.samples});
  bill.gather(group, 4 * t * row, {4 * backward.times, backward.samples});
  const Runs both = forward + backward;
  bill.add(group, Pattern::pairwise, 2 * (share.layer_tokens - t) * row * both.samples, 2 * both.times);
}

// The lean pair: a gather of x for each group of heads and one for the MLP, forward. Backward x1 is made
// again (a scatter), the MLP's tiles gather x, dy and x again and scatter dx, dy of the attention branch is
// gathered, and each group gathers x to project it, x again for the weights (and before the norms of q and
// k), and scatters its part of dx. Each of them goes tile by tile.
void bill_lean_tensor(Bill& bill, const Step& step, const BlockRuns& runs, int64_t groups) {
  const RankShare& share = step.share;
  const Members group{GroupOf::tensor, step.axes.tensor, 1, share.place.tensor};
  const int64_t t = share.tokens.size(), row = step.shape.dim * share.element;
  const int64_t most = (share.layer_tokens + step.axes.tensor - 1) / step.axes.tensor;
  const int64_t tiles = (most + step.options.train.tile_tokens - 1) / step.options.train.tile_tokens;
  const int64_t projections = step.shape.qk_norm ? 3 * groups : 2 * groups;
  const auto gathers = [&](int64_t count, const Runs& of) {
    bill.gather(group, count * t * row, {tiles * count * of.times, of.samples});
  };
  const auto scatters = [&](int64_t count, const Runs& of) {
    bill.add(group, Pattern::pairwise, count * (share.layer_tokens - t) * row * of.samples,
             tiles * count * of.times);
  };
  gathers(groups + 1, runs.once), scatters(2, runs.once);
  gathers(groups, runs.attention_again);
  gathers(4 + projections, runs.once), scatters(2 + groups, runs.once);
}

// To the heads go my tokens of their heads, back their tokens of my heads.
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

// lss gathers K|V forward and again backward, and scatters dK|dV in fp32. In a ring K|V pass every rank but
// the last, dK|dV every rank.
void bill_context(Bill& bill, const Step& step, const RankShare& share, const Runs& forward,
                  const Runs& backward) {
  const ParallelOptions& parallel = step.options.parallel;
  const Members group{GroupOf::context, step.axes.context, int64_t{step.axes.tensor} * step.axes.ulysses,
                      share.place.context};
  const int64_t keys = share.own_keys.size(), values = 2 * keys * step.shape.head_dim();
  const int64_t S = step.shape.grid.tokens(), t = share.query_tokens;
  const Runs both = forward + backward;
  if (parallel.context_method == ContextMethod::lss) {
    const int64_t together = parallel.gather_heads > 0 ? parallel.gather_heads : std::max<int64_t>(keys, 1);
    const int64_t strides = (keys + together - 1) / together;
    bill.gather(group, t * values * share.element, {strides * both.times, both.samples});
    bill.add(group, Pattern::pairwise, (S - t) * values * fp32_bytes * backward.samples,
             strides * backward.times);
  } else {
    bill.add(group, Pattern::neighbour,
             (S - share.next_query_tokens) * values * share.element * both.samples +
                 S * values * fp32_bytes * backward.samples,
             (group.ranks - 1) * both.times + group.ranks * backward.times);
  }
}

// A stage sends each micro-batch's activations ahead from all its chunks but the model's last, and gradients
// back from all but the first.
void bill_pipeline(Bill& bill, const Step& step) {
  const RankShare& share = step.share;
  const int64_t stages = step.axes.pipeline, chunks = step.options.parallel.chunks;
  const int64_t stride = step.axes.world() / stages, stage = share.place.pipeline;
  const int64_t activation = share.tokens.size() * step.shape.dim * share.element * share.samples();
  const auto micro_batches = std::ssize(share.micro_batches);
  const auto send = [&](GroupOf group, bool end_of_model) {
    const int64_t sent = chunks - (end_of_model ? 1 : 0);
    bill.add({group, stages, stride, stage}, Pattern::neighbour, sent * activation, sent * micro_batches);
  };
  send(GroupOf::pipeline, stage + 1 == stages);
  send(GroupOf::pipeline_back, stage == 0);
}

/// Ranks that hold the same weights: each shard group once, the same span in each group of copies.
struct Holders {
  Members shard, copies;
};

// `place` of the ranks `all`, cut into shard groups of `size` neighbours; all are `stride` apart.
Holders holders_of(GroupOf shard, GroupOf copies, int64_t all, int64_t size, int64_t stride, int64_t place) {
  return {{shard, size, stride, place % size}, {copies, all / size, stride * size, place / size}};
}

void bill_weights(Bill& bill, const Step& step, const Holders& holders, int64_t n, int64_t gathers) {
  if (n == 0) return;
  const Members& group = holders.shard;
  const Shard level = step.options.parallel.shard;
  const int64_t own = span_of(n, group.ranks, group.rank).size(), e = step.share.element;
  const auto micro_batches = std::ssize(step.share.micro_batches);
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
      bill.add(group, Pattern::pairwise, (n - own) * e * micro_batches, micro_batches);
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
  BlockParameters n = block_parameters_of(step.share, step.shape, axes);
  if (runs.block == 0) n = {tokenizer_parameters(step.shape), 0};
  if (runs.block > step.shape.depth) n = {head_parameters(step.shape), 0};
  bill_weights(bill, step,
               holders_of(GroupOf::whole_weights, GroupOf::whole_copies, replicas * P, shard * P, 1,
                          replica * P + place.tensor),
               n.whole, runs.gathers);
  bill_weights(bill, step, holders_of(GroupOf::cut_weights, GroupOf::cut_copies, replicas, shard, P, replica),
               n.cut, runs.gathers);
}

// `blocks` blocks that run alike.
void bill_blocks(Bill& bill, const Step& step, const BlockRuns& runs, int64_t blocks) {
  const ParallelOptions& parallel = step.options.parallel;
  bill.repeat(blocks);
  if (!is_lean(step.options.train.activations.value_or(Activations::keep))) {
    bill_tensor(bill, step, runs.once, runs.once);
    bill_ulysses(bill, step, step.share, parallel.head_groups, parallel.keep_exchanged, runs.once, runs.once);
    bill_context(bill, step, step.share, runs.once, runs.once);
    return;
  }
  RankShare one = step.share;
  one.micro_batches.clear();  // what a group sends depends on its heads alone
  const auto shares = head_group_shares(one, step.options, step.shape, step.axes);
  bill_lean_tensor(bill, step, runs, std::ssize(shares));
  for (auto first = shares.begin(), next = first; first != shares.end(); first = next) {
    next = std::find_if(first, shares.end(),
                        [&](const RankShare& share) { return share.keys.size() != first->keys.size(); });
    bill.repeat(blocks * (next - first));
    bill_ulysses(bill, step, *first, 1, false, runs.once + runs.attention_again, runs.once);
    bill_context(bill, step, *first, runs.once + runs.attention_again, runs.once);
  }
}

}  // namespace

std::vector<Exchange> exchanges_of_step(const Options& options, const ModelShape& shape, const Axes& axes,
                                        int rank) {
  const Step step{options, shape, axes, rank_share(options, shape, axes, rank)};
  Bill bill;
  for (const auto& [runs, count] : alike_blocks(runs_of(options, shape, axes, step.share), shape.depth)) {
    bill.repeat(count);
    bill_block_weights(bill, step, runs);
    if (runs.block > 0 && runs.block <= shape.depth) bill_blocks(bill, step, runs, count);
  }
  bill.repeat(1);
  bill_pipeline(bill, step);
  // Squared error, weight and wish to stop in one; the gradient's norm in another.
  const Members world{GroupOf::world, axes.world(), 1, rank};
  bill.all_reduce(world, 3, fp64_bytes);
  bill.all_reduce(world, 1, fp64_bytes);
  return bill.items();
}

}  // namespace graticule
