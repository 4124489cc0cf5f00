#include "graticule/plan/layout_choices.h"

#include <algorithm>

#include "graticule/recipe/layout.h"
#include "graticule/recipe/passes.h"

namespace graticule {

namespace {

constexpr int64_t several_nodes = 8;

/// The values of a key to compare: the given one if the recipe names the key, else all of `values`.
template <class T>
std::vector<T> open(const Options& options, const char* key, const T& given, std::vector<T> values) {
  if (options.named.contains(key)) return {given};
  return values;
}

std::vector<int64_t> ascending(std::vector<int64_t> values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

struct Schedule {
  ScheduleKind kind;
  int64_t chunks;
};

// Without a pipeline the schedule changes nothing. gpipe is left out: it idles as long as 1f1b and takes more
// memory.
std::vector<Schedule> schedules_of(const Options& options, const ModelShape& shape, const Axes& axes) {
  const ParallelOptions& given = options.parallel;
  std::vector<ScheduleKind> kinds = {ScheduleKind::one_f_one_b};
  if (axes.pipeline > 1) kinds.push_back(ScheduleKind::zero_bubble);
  if (axes.pipeline > 1 || given.chunks > 1) kinds.push_back(ScheduleKind::interleaved);
  std::vector<Schedule> schedules;
  for (const ScheduleKind kind : open(options, "parallel.schedule", given.schedule, kinds)) {
    const bool several = kind == ScheduleKind::interleaved;
    std::vector<int64_t> chunks = several ? std::vector<int64_t>{} : std::vector<int64_t>{1};
    for (int64_t n = 2; several && n * axes.pipeline <= shape.depth; n *= 2) chunks.push_back(n);
    for (const int64_t n : open(options, "parallel.chunks", given.chunks, chunks)) {
      if (several == (n > 1) && n * axes.pipeline <= shape.depth) schedules.push_back({kind, n});
    }
  }
  return schedules;
}

// One micro-batch; 1, 2, 4 or 8 for each stage; one for each sample. More micro-batches fill a pipeline
// better and take less memory at a time.
std::vector<int64_t> micro_batches_of(const Options& options, const Axes& axes) {
  const int64_t samples = options.data.batch / axes.data;
  std::vector<int64_t> counts = {1, samples};
  for (int64_t n = axes.pipeline; n <= 8 * axes.pipeline; n *= 2) counts.push_back(std::min(n, samples));
  return open(options, "parallel.micro_batches", options.parallel.micro_batches, ascending(counts));
}

// On a CPU `offload` without a folder saves nothing: host memory is the device memory.
std::vector<Activations> policies_of(const Options& options) {
  const TrainOptions& train = options.train;
  if (options.named.contains("train.activations") && train.activations) return {*train.activations};
  std::vector<Activations> policies = {Activations::keep, Activations::recompute_but_attention,
                                       Activations::recompute};
  if (train.device != DeviceKind::cpu || !train.offload_to.empty()) policies.push_back(Activations::offload);
  return policies;
}

/// How weights are sharded.
struct Sharding {
  Shard level;
  int64_t ranks;
};

// Sharding over all replicas, over those of a node, or over those of several nodes. One rank alone cannot
// shard, but with `full` it releases weights that are not in use.
std::vector<Sharding> shardings_of(const Options& options, const Axes& axes, int64_t devices) {
  const int64_t replicas = int64_t{axes.data} * axes.sequence();
  std::vector<Shard> levels = {Shard::none, Shard::optimizer, Shard::gradients, Shard::full};
  if (replicas * axes.tensor == 1) levels = {Shard::none, Shard::full};
  std::vector<int64_t> ranks = {0};
  for (const int64_t together : {devices, several_nodes * devices}) {
    int64_t most = 1;
    for (int64_t n = 2; n < replicas && n * axes.tensor <= together; ++n) {
      if (replicas % n == 0) most = n;
    }
    if (most > 1 && most != ranks.back()) ranks.push_back(most);
  }
  std::vector<Sharding> shardings;
  for (const Shard level : open(options, "parallel.shard", options.parallel.shard, levels)) {
    for (const int64_t n : open(options, "parallel.shard_ranks", options.parallel.shard_ranks,
                                level == Shard::none ? std::vector<int64_t>{0} : ranks)) {
      shardings.push_back({level, n});
    }
  }
  return shardings;
}

/// How heads are exchanged.
struct HeadExchange {
  int64_t head_groups, gather_heads;
  bool keep_exchanged;
};

// Each group needs one key head for each ulysses rank, or some ranks idle.
std::vector<int64_t> head_groups_of(const Options& options, const ModelShape& shape, const Axes& axes,
                                    bool lean) {
  const int64_t given = options.parallel.head_groups;
  if (!lean && axes.ulysses == 1) return {given};
  const int64_t most = std::max<int64_t>(1, shape.key_heads() / axes.tensor / axes.ulysses);
  return open(options, "parallel.head_groups", given,
              ascending({1, std::min<int64_t>(2, most), std::min<int64_t>(4, most), most}));
}

std::vector<HeadExchange> exchanges_of(const Options& options, const ModelShape& shape, const Layout& frame) {
  const Axes axes = axes_of(frame);
  const ParallelOptions& given = options.parallel;
  const bool lean = is_lean(frame.activations);
  const bool gathers = axes.context > 1 && frame.parallel.context_method != ContextMethod::ring;
  const bool keeps = !lean && axes.ulysses > 1;
  const int64_t keys = std::max<int64_t>(1, shape.key_heads() / axes.tensor / axes.ulysses);
  std::vector<HeadExchange> exchanges;
  for (const bool keep : open(options, "parallel.keep_exchanged", given.keep_exchanged,
                              keeps ? std::vector<bool>{true, false} : std::vector{given.keep_exchanged})) {
    for (const int64_t groups : head_groups_of(options, shape, axes, lean)) {
      std::vector<int64_t> strides = {given.gather_heads};
      for (const int64_t n : {keys / groups / 2, int64_t{1}}) {
        if (gathers && n > 0 && n < keys / groups && n != strides.back()) strides.push_back(n);
      }
      for (const int64_t stride : open(options, "parallel.gather_heads", given.gather_heads, strides)) {
        exchanges.push_back({groups, stride, keep});
      }
    }
  }
  return exchanges;
}

/// How the context ranks work together.
struct ContextWay {
  ContextMethod method;
  int64_t mesh_rows;
};

// A mesh has the rows that send the fewest bytes. One that is a line sends no fewer bytes than lss, so it is
// tried only if the recipe names it.
std::vector<ContextWay> context_ways_of(const Options& options, const ModelShape& shape, const Axes& axes) {
  const ParallelOptions& given = options.parallel;
  if (axes.context == 1) return {{given.context_method, given.mesh_rows}};
  Options meshed = options;
  meshed.parallel.context_method = ContextMethod::mesh;
  const bool fits = !trouble_with_rows(meshed.parallel, axes.context);
  const ContextGrid grid = fits ? context_grids_of(meshed, shape, axes).forward : ContextGrid{};
  std::vector<ContextMethod> methods = {ContextMethod::lss, ContextMethod::ring};
  if (!grid.is_line()) methods.push_back(ContextMethod::mesh);
  std::vector<ContextWay> ways;
  for (const auto method : open(options, "parallel.context_method", given.context_method, methods)) {
    const std::vector<int64_t> rows = {method == ContextMethod::mesh ? grid.queries : given.mesh_rows};
    ways.push_back({method, open(options, "parallel.mesh_rows", given.mesh_rows, rows).front()});
  }
  return ways;
}

}  // namespace

std::vector<Layout> frames_of(const Options& options, const ModelShape& shape, const Axes& axes) {
  Layout frame{options.parallel};
  ParallelOptions& p = frame.parallel;
  fill_in(p, axes);
  std::vector<Layout> frames;
  for (const auto& [method, mesh_rows] : context_ways_of(options, shape, axes)) {
    for (const auto& [kind, chunks] : schedules_of(options, shape, axes)) {
      for (const int64_t micro_batches : micro_batches_of(options, axes)) {
        for (const Activations policy : policies_of(options)) {
          // A lean block computes all gradients at once, so zero_bubble equals 1f1b.
          const bool same = kind == ScheduleKind::zero_bubble && is_lean(policy);
          if (same && !options.named.contains("parallel.schedule")) continue;
          p.context_method = method, p.mesh_rows = mesh_rows;
          p.schedule = kind, p.chunks = chunks;
          p.micro_batches = micro_batches, frame.activations = policy;
          frames.push_back(frame);
        }
      }
    }
  }
  return frames;
}

std::vector<Layout> variants_of(const Options& options, const ModelShape& shape, const Layout& frame,
                                int64_t devices) {
  const std::vector<HeadExchange> exchanges = exchanges_of(options, shape, frame);
  std::vector<Layout> variants;
  for (const auto& [level, ranks] : shardings_of(options, axes_of(frame), devices)) {
    for (const auto& [groups, stride, keep] : exchanges) {
      Layout& variant = variants.emplace_back(frame);
      variant.parallel.shard = level, variant.parallel.shard_ranks = ranks;
      variant.parallel.head_groups = groups, variant.parallel.gather_heads = stride;
      variant.parallel.keep_exchanged = keep;
    }
  }
  return variants;
}

std::vector<Layout> leanest_variants(const std::vector<Layout>& variants) {
  std::vector<Layout> leanest;  // order of variants: by level, by ranks (most first), by exchange
  for (const Layout& variant : variants) {
    const bool same_level = !leanest.empty() && leanest.back().parallel.shard == variant.parallel.shard;
    if (!same_level) {
      leanest.push_back(variant);
    } else if (leanest.back().parallel.shard_ranks == variant.parallel.shard_ranks) {
      leanest.back() = variant;
    }
  }
  return leanest;
}

}  // namespace graticule
