#include "graticule/plan/time.h"

#include <algorithm>

#include "graticule/core/error.h"
#include "graticule/plan/kernel_time.h"
#include "graticule/plan/work.h"
#include "graticule/recipe/passes.h"

namespace graticule {

namespace {

// The bandwidth out of a switch (or a group of routers) / the bandwidth of its nodes, at most 1; 1 for a
// group that stays below one switch.
double taper_of(const Cluster& cluster, int64_t nodes_apart) {
  const double node = cluster.interface.bandwidth * static_cast<double>(cluster.interfaces_per_node);
  if (const auto* tree = std::get_if<FatTree>(&cluster.topology)) {
    return nodes_apart > tree->nodes_per_switch ? tree->taper : 1;
  }
  if (const auto* fly = std::get_if<Dragonfly>(&cluster.topology)) {
    const int64_t nodes = fly->routers_per_group * fly->nodes_per_router;
    const double out = fly->global_link * static_cast<double>(fly->links_between_groups * (fly->groups - 1));
    return nodes_apart > nodes ? std::min(1.0, out / (static_cast<double>(nodes) * node)) : 1;
  }
  return 1;
}

// Elements that point-wise work reads and writes. `token`: for each token and unit of the width. `hidden`:
// for each token and hidden unit of the MLP.
//
//              forward                 backward
//   2 norms    read x, write y         read x and dy, write dx
//   2 sums     read two, write one     read two, write one
//   GELU       read x, write y         read x and dy, write dx
struct Elements {
  double token, hidden;
};
constexpr Elements forward_elements{2 * 2 + 2 * 3, 2}, backward_elements{2 * 3 + 2 * 3, 3};

double pointwise_bytes(const ModelPart& part) {
  const RankShare& share = part.share;
  const auto of_sample = [&](const Elements& elements) {
    return elements.token * static_cast<double>(share.tokens.size() * part.shape.dim) +
           elements.hidden * static_cast<double>(share.layer_tokens * share.hidden.size());
  };
  double elements = 0;
  for (const BlockRuns& runs : part.blocks) {
    if (!part.is_transformer(runs.block)) continue;
    elements += of_sample(forward_elements) *
                    static_cast<double>((runs.once + runs.ahead + runs.linear_again).samples) +
                of_sample(backward_elements) * static_cast<double>(runs.once.samples);
  }
  return elements * static_cast<double>(share.element);
}

// AdamW reads weight, gradient and two moments, and writes all but the gradient. Before it the gradient is
// squared and scaled; after it the weight is converted to the compute dtype. An average of the weights is
// read and written beside a weight that is read.
double optimizer_bytes(const ModelPart& part, const Options& options, const Axes& axes) {
  const int64_t replicas = int64_t{axes.data} * axes.sequence();
  const int64_t wished = options.parallel.shard_ranks > 0 ? options.parallel.shard_ranks : replicas;
  const auto shard = static_cast<double>(options.parallel.shard == Shard::none ? 1 : wished);
  const double whole_shard = options.parallel.shard == Shard::none ? 1 : shard * axes.tensor;
  double owned = 0;
  for (const BlockRuns& runs : part.blocks) {
    const BlockParameters n = parameters_of_block(runs.block, part.share, part.shape, axes);
    owned += static_cast<double>(n.whole) / whole_shard + static_cast<double>(n.cut) / shard;
  }
  const auto moment = static_cast<double>(bytes_of(options.train.moments));
  const double average = options.train.ema > 0 ? 4 + 8 : 0;
  return owned * (4 + 8 + 4 + 8 + 4 * moment + average + 4 + static_cast<double>(part.share.element));
}

// Bytes that lean blocks move off the device and back (parallel/training_pass): their input, the output of
// attention and its log-sum-exp in fp32. The input of the tokenizer stays.
double offloaded_bytes(const ModelPart& part) {
  const RankShare& share = part.share;
  const ModelShape& shape = part.shape;
  const int64_t input = share.tokens.size() * shape.dim * share.element;
  const int64_t attention = share.layer_tokens * share.queries.size() * shape.head_dim() * share.element +
                            share.query_tokens * share.own_queries.size() * int64_t{sizeof(float)};
  int64_t bytes = 0;
  for (const BlockRuns& runs : part.blocks) {
    if (runs.block == 0) continue;
    bytes += runs.once.samples * (input + (part.is_transformer(runs.block) ? attention : 0));
  }
  return 2 * static_cast<double>(bytes);
}

/// Seconds of work that can still hide exchanges. Each hidden second is subtracted.
struct Cover {
  double attention, compute;  ///< compute: linear layers and point-wise work
  double last_backward;       ///< the part of both in the backward of the last micro-batch
};

double hide(double seconds, double& under) {
  const double hidden = std::min(seconds, under);
  under -= hidden;
  return seconds - hidden;
}

// Seconds of an exchange that no work hides (docs/planner.md gives the reasons).
double exposed_of(const Exchange& exchange, double seconds, const Options& options, Cover& cover) {
  const ParallelOptions& parallel = options.parallel;
  const GroupOf group = exchange.group;
  const bool lean = is_lean(options.train.activations.value_or(Activations::keep));
  const auto in_parts = [&](double parts) {
    return seconds / parts + hide(seconds * (1 - 1 / parts), cover.attention);
  };
  if (group == GroupOf::tensor) return seconds * (exchange.pattern == Pattern::ring ? 2.0 / 3 : 1.0 / 2);
  if (group == GroupOf::ulysses) return in_parts(static_cast<double>(parallel.head_groups));
  if (is_of_context(group) && exchange.pattern == Pattern::neighbour) return hide(seconds, cover.attention);
  if (is_of_context(group) && lean && parallel.head_groups > 1) {
    return in_parts(static_cast<double>(parallel.head_groups));
  }
  if (is_of_context(group)) return parallel.gather_heads > 0 ? in_parts(2) : seconds;
  if (group == GroupOf::whole_weights || group == GroupOf::cut_weights) {
    const bool once = parallel.shard == Shard::none || parallel.shard == Shard::optimizer;
    const double may = once ? seconds - hide(seconds, cover.last_backward) : seconds;
    return seconds - may + hide(hide(may, cover.compute), cover.attention);
  }
  // Other micro-batches compute meanwhile; the rest is counted in the bubble.
  if (is_of_stages(group)) return 0;
  return seconds;
}

// Idle seconds of a stage (docs/pipeline.md), with the messages while the pipeline fills and drains.
// `filling`: seconds of weight gradients that run in the bubble. If ranks share a core (cluster.sharing), a
// working rank also gets the turns of idle ranks. The formula takes the worst case: working ranks share one
// core, and idle ranks poll.
// What runs ahead of train.rollout does not overlap: each micro-batch passes all stages before the next one.
// It is (k - 1) forwards of k forwards and backwards and k - 1 forwards, a backward being two forwards.
double bubble_of(const StepTime& time, double filling, double sends, const Cluster& cluster,
                 const Options& options, const Axes& axes) {
  const ParallelOptions& parallel = options.parallel;
  const auto k = static_cast<double>(options.train.rollout);
  const auto rounds = static_cast<double>(parallel.micro_batches * parallel.chunks);
  const double busy = std::max(0.0, time.compute() + time.exposed - 2 * filling);
  const double ahead = (busy + sends) * (k - 1) / (4 * k - 1);
  const double idle = (axes.pipeline - 1) * ((busy + sends - ahead) / rounds + ahead);
  const double work = time.compute() + time.exposed;
  const auto beside = static_cast<double>(std::min<int64_t>(axes.world(), cluster.devices_per_node));
  const double at_work = std::max(1.0, beside * work / (work + idle));
  return std::max(0.0, (work + idle) * std::min(1.0, at_work / cluster.sharing) - work);
}

// Whether weight gradients fill the bubble. With fewer micro-batches than stages zero_bubble has a larger
// bubble than its formula (at most that of 1f1b), so it counts as 1f1b. A lean block computes all gradients
// at once.
bool fills_bubble(const Options& options, const Axes& axes) {
  return options.parallel.schedule == ScheduleKind::zero_bubble &&
         options.parallel.micro_batches >= axes.pipeline &&
         !is_lean(options.train.activations.value_or(Activations::keep));
}

// The smallest size of the products in this rank's blocks: their rate depends on it.
int64_t narrowest_of(const ModelPart& part) {
  const RankShare& share = part.share;
  return std::min({part.shape.dim, share.queries.size() * part.shape.head_dim(), share.hidden.size()});
}

// The number of passes: forward, backward and repeated forward of each block, for each micro-batch and each
// step of train.rollout.
int64_t passes_through(const ModelPart& part) {
  int64_t passes = 0;
  for (const BlockRuns& runs : part.blocks)
    passes += 2 * runs.once.times + runs.ahead.times + runs.linear_again.times;
  return passes;
}

StepTime time_of_rank(const Cluster& cluster, const Options& options, const ModelShape& shape,
                      const Axes& axes, int rank) {
  const Precision precision = options.train.precision;
  const std::vector<ModelPart> parts = parts_of_model(options, shape, axes, rank);
  StepTime time;
  double filling = 0;  // weight gradients in the bubble: they cannot hide an exchange too
  for (const ModelPart& part : parts) {
    const StepWork work = work_of_part(options, part, axes);
    const auto linear_seconds = [&](double flops) {
      return seconds_of({.kind = Kernel::Kind::linear, .flops = flops, .width = narrowest_of(part)}, cluster,
                        precision);
    };
    time.linear += linear_seconds(work.all().linear);
    time.attention += seconds_of({Kernel::Kind::attention, work.all().attention, 0, part.shape.head_dim()},
                                 cluster, precision);
    time.pointwise +=
        seconds_of({.kind = Kernel::Kind::pointwise, .bytes = pointwise_bytes(part)}, cluster, precision) +
        cluster.block * static_cast<double>(passes_through(part));
    time.optimizer += optimizer_bytes(part, options, axes) / cluster.memory_bandwidth;
    if (fills_bubble(options, axes)) filling += linear_seconds(work.backward.linear / 2);
  }
  const double compute = time.linear + time.pointwise - filling;
  // Backward is 2/3 of the work of a linear layer and 5/7 of that of attention.
  Cover cover{time.attention, compute,
              (2.0 / 3 * compute + 5.0 / 7 * time.attention) /
                  static_cast<double>(parts.front().blocks.front().once.times)};
  double sends = 0;
  for (const Exchange& exchange : exchanges_of_step(options, shape, axes, rank)) {
    const double seconds = seconds_of(exchange, cluster);
    time.exchange[exchange.group] += seconds;
    const double bare = exposed_of(exchange, seconds, options, cover);
    time.exposed += bare + (1 - cluster.overlap) * (seconds - bare);
    if (is_of_stages(exchange.group)) sends += seconds;
  }
  if (options.train.activations == Activations::offload && cluster.host > 0) {
    double seconds = 0;
    for (const ModelPart& part : parts) seconds += offloaded_bytes(part) / cluster.host;
    time.offload = seconds;
    time.exposed += hide(hide(seconds, cover.compute), cover.attention);
  }
  time.bubble = bubble_of(time, filling, sends, cluster, options, axes);
  return time;
}

}  // namespace

double seconds_of(const Exchange& exchange, const Cluster& cluster) {
  const int64_t devices = cluster.devices_per_node;
  // Members in one node.
  const int64_t beside = std::clamp<int64_t>(devices / exchange.stride, 1, exchange.ranks);
  const auto bytes = static_cast<double>(exchange.bytes), steps = static_cast<double>(exchange.steps);
  const double message = steps > 0 ? bytes / steps : bytes;
  const double within = rate_at(cluster.within_node.by_message, message, cluster.within_node.bandwidth);
  if (beside == exchange.ranks) {
    return bytes / within + steps * cluster.within_node.latency;
  }
  const int64_t nodes_apart = ((exchange.ranks - 1) * exchange.stride + devices) / devices;
  const Link& interface = cluster.interface;
  const double across = cluster.share_of_interfaces() / interface.bandwidth *
                        rate_at(interface.by_message, message, interface.bandwidth) *
                        taper_of(cluster, nodes_apart);
  const double waits = steps * interface.latency;
  if (exchange.pattern == Pattern::pairwise) {
    const double outside =
        static_cast<double>(exchange.ranks - beside) / static_cast<double>(exchange.ranks - 1);
    return std::max(bytes * outside / across, bytes * (1 - outside) / within) + waits;
  }
  // Of the members in a node only one sends to the next node. It uses the interfaces of all of them.
  const double shared = across * static_cast<double>(beside);
  return bytes / (beside > 1 ? std::min(shared, within) : shared) + waits;
}

StepTime time_of_step(const Cluster& cluster, const Options& options, const ModelShape& shape,
                      const Axes& axes) {
  const int64_t devices = cluster.nodes * cluster.devices_per_node;
  if (axes.world() > devices) {
    refuse("plan", described(axes), " needs ", axes.world(), " ranks, but ", cluster.name, " has ", devices,
           " devices: choose degrees with at most this product");
  }
  // The first rank of each stage is the busiest: span_of gives it the larger shares.
  StepTime slowest;
  for (int stage = 0; stage < axes.pipeline; ++stage) {
    const StepTime time = time_of_rank(cluster, options, shape, axes, stage * (axes.world() / axes.pipeline));
    if (time.total() > slowest.total()) slowest = time;
  }
  return slowest;
}

}  // namespace graticule
