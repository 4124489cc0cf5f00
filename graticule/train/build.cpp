#include "graticule/train/build.h"

#include <ATen/Parallel.h>

#include <algorithm>

#include "graticule/core/cores.h"
#include "graticule/core/error.h"
#include "graticule/kernel/torch_types.h"
#include "graticule/model/vit.h"
#include "graticule/recipe/layout.h"
#include "graticule/recipe/loss_weights.h"
#include "graticule/train/statistics_pass.h"

namespace graticule {

namespace {

void fill_variables(DataOptions& data, const Catalog& catalog) {
  if (data.variables.empty()) {
    for (const Variable& variable : catalog.variables) data.variables.push_back(variable.name);
  }
  for (const std::string& name : data.variables) catalog.index_of(name);
  if (data.targets.empty()) {
    for (const std::string& name : data.variables) {
      if (!catalog.variables[catalog.index_of(name)].constant) data.targets.push_back(name);
    }
  }
  for (const std::string& name : data.targets) {
    if (catalog.variables[catalog.index_of(name)].constant) {
      refuse("data", "target '", name, "' does not change in time: leave it out of data.targets");
    }
    if (std::find(data.variables.begin(), data.variables.end(), name) == data.variables.end()) {
      refuse("data", "target '", name, "' is not among data.variables: add it there");
    }
  }
}

// Whether a variable's future is computed and not observed, so that a forecast may read it at later times.
bool known_ahead(const std::string& name) { return name.starts_with("toa_incident_solar_radiation"); }

// Refuses variables that a step of train.rollout would have to read from the future.
void refuse_unpredicted(const Options& options, const DataOptions& data, const Catalog& catalog) {
  std::string names;
  for (const std::string& name : data.variables) {
    const bool target = std::find(data.targets.begin(), data.targets.end(), name) != data.targets.end();
    if (target || known_ahead(name) || catalog.variables[catalog.index_of(name)].constant) continue;
    names += (names.empty() ? "" : ", ") + name;
  }
  if (options.train.rollout == 1 || names.empty()) return;
  refuse("train", "train.rollout = ", options.train.rollout, " feeds forecasts back, but no forecast has ",
         names, ": add them to data.targets, or leave them out of data.variables");
}

// Refuses training times that are scored later: the scores would be worthless.
void refuse_overlap(const DataOptions& data, Calendar calendar) {
  if (data.allow_overlap || data.train.empty()) return;
  const TimeRange train = parse_time_range(data.train[0], data.train[1], calendar);
  for (const auto& [name, texts] : {std::pair{"valid", &data.valid}, {"test", &data.test}}) {
    if (texts->empty()) continue;
    const TimeRange other = parse_time_range((*texts)[0], (*texts)[1], calendar);
    if (train.begin <= other.end && other.begin <= train.end) {
      refuse("data", "data.train (", data.train[0], " to ", data.train[1], ") and data.", name, " (",
             (*texts)[0], " to ", (*texts)[1],
             ") share times: move one of them, or set data.allow_overlap = true");
    }
  }
}

}  // namespace

ModelShape shape_of(const ModelOptions& model, int64_t variables, int64_t rows, int64_t columns) {
  ModelShape shape;
  shape.grid = {model.tokens, variables, rows, columns, model.patch};
  const TransformerShape& sizes = model;
  static_cast<TransformerShape&>(shape) = sizes;
  validate(shape);
  if (model.patch > std::min(rows, columns)) {
    refuse("model", "patch = ", model.patch, " on a grid of ", rows, " x ", columns, ": choose at most ",
           std::min(rows, columns));
  }
  return shape;
}

Problem define_problem(const Options& options) {
  Problem problem{options, open_source(options.data.path, options.data.layout), {}};
  const Catalog& catalog = problem.source->catalog();
  fill_variables(problem.options.data, catalog);
  refuse_overlap(options.data, catalog.calendar);
  refuse_unpredicted(options, problem.options.data, catalog);
  target_weights(options.train.loss_weights,
                 problem.options.data.targets);  // refuses names that are no targets
  problem.shape = shape_of(options.model, static_cast<int64_t>(problem.options.data.variables.size()),
                           static_cast<int64_t>(catalog.latitudes.size()),
                           static_cast<int64_t>(catalog.longitudes.size()));
  problem.shape.grid.states = options.data.history;
  return problem;
}

LoaderOptions loader_options(const Options& options, const ModelShape& shape, const Mesh& mesh,
                             const Span& tokens) {
  LoaderOptions loader;
  loader.variables = options.data.variables;
  loader.targets = options.data.targets;
  loader.target_weights = target_weights(options.train.loss_weights, options.data.targets);
  loader.lead_hours.assign(options.data.lead_hours.begin(), options.data.lead_hours.end());
  loader.steps = options.train.rollout;
  loader.batch = options.data.batch;
  loader.samples = span_of(options.data.batch, mesh.axes.data, mesh.coordinate(Axis::data));
  loader.grid = shape.grid;
  loader.tokens = tokens;
  loader.predict = options.data.predict;
  loader.missing = options.data.missing;
  loader.seed = static_cast<uint64_t>(options.train.seed);
  return loader;
}

void set_threads(int64_t threads, const World& world) {
  at::set_num_threads(threads > 0 ? static_cast<int>(threads) : cores_of_rank(world.local_size));
}

Mesh mesh_of(Options& options, const ModelShape& shape, const World& world) {
  const Axes axes = resolve_axes(options, world.size, shape);
  fill_in(options.parallel, axes);
  world.watch->set_timeout(options.run.watchdog_seconds, "run.watchdog_seconds");
  return make_mesh(world, axes, static_cast<int>(options.parallel.shard_ranks));
}

// Tokens are spread over context x ulysses x tensor, and tensor neighbours are next to each other. Attention
// sees a tensor group as one rank with all tokens of the group.
Layers layers_of(const Options& options, const ModelShape& shape, const Mesh& mesh, const World& world) {
  const ParallelOptions& parallel = options.parallel;
  const int64_t S = shape.grid.tokens(), tensor = mesh.tensor.size();
  const int64_t holders = mesh.holders.size();
  AttentionOptions attention;
  for (int64_t rank = 0; rank < mesh.sequence.size(); ++rank) {
    attention.tokens_of.push_back(span_of(S, holders, (rank + 1) * tensor - 1).end -
                                  span_of(S, holders, rank * tensor).begin);
  }
  attention.context = mesh.context, attention.ulysses = mesh.ulysses;
  const ExchangeOptions& exchange = parallel;
  attention.exchange = exchange;

  Layers layers;
  layers.tokens = span_of(S, holders, mesh.holders.rank());
  layers.attention = make_attention(attention);
  layers.tensor.group = mesh.tensor;
  for (int64_t rank = 0; rank < tensor; ++rank) {
    layers.tensor.tokens_of.push_back(span_of(S, holders, mesh.sequence.rank() * tensor + rank).size());
  }
  layers.tile_tokens = options.train.tile_tokens;
  ShardOptions& shard = layers.chain.shard;
  shard.level = parallel.shard;
  shard.whole = mesh.whole, shard.cut = mesh.cut;
  shard.compute = scalar_type(options.train.precision);
  shard.device = options.train.device == DeviceKind::cuda
                     ? at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(world.local_rank))
                     : at::Device(at::kCPU);
  shard.seed = static_cast<uint64_t>(options.train.seed);
  shard.moments = scalar_type(options.train.moments);
  shard.averages = options.train.ema > 0;
  shard.state_in = options.train.state_in;
  layers.chain.activations = {options.train.activations.value_or(Activations::keep)};
  layers.chain.offload_to = options.train.offload_to;
  PipelineOptions& pipeline = layers.chain.pipeline;
  pipeline.ahead = mesh.pipeline, pipeline.back = mesh.pipeline_back;
  pipeline.schedule = parallel.schedule;
  pipeline.chunks = static_cast<int>(parallel.chunks);
  pipeline.input = {layers.tokens.size(), shape.grid.variables_per_token(), shape.grid.inputs()};
  pipeline.hidden = {layers.tokens.size(), shape.dim};
  pipeline.output = {layers.tokens.size(), shape.grid.variables_per_token(), shape.grid.pixels()};
  return layers;
}

Chain chain_of(const ModelShape& shape, const Layers& layers) {
  return {vision_transformer(shape, layers.tokens, layers.attention, layers.tensor, layers.tile_tokens),
          layers.chain};
}

Run assemble(const Problem& problem, const World& world, bool for_training,
             const std::optional<Statistics>& statistics) {
  Options options = problem.options;
  if (!options.train.activations)
    refuse("train",
           "train.activations = \"auto\" is not settled: choose a policy, or call build() of dry/settle.h");
  const ModelShape& shape = problem.shape;
  set_threads(options.train.threads, world);
  const Mesh mesh = mesh_of(options, shape, world);
  const Layers layers = layers_of(options, shape, mesh, world);
  std::optional<Chain> chain;
  agree(world, mesh.world, [&] { chain.emplace(chain_of(shape, layers)); });

  Run run{options, mesh, problem.source, {}, shape, layers.tokens, std::move(*chain), std::nullopt};
  run.statistics = statistics ? *statistics : statistics_of_run(options, *problem.source, world, mesh.world);
  if (for_training) {
    // Stages between the first and the last read no fields, so their loader gets no tokens.
    const bool reads = run.chain.first_stage() || run.chain.last_stage();
    LoaderOptions loader = loader_options(
        options, shape, mesh, reads ? layers.tokens : Span{layers.tokens.begin, layers.tokens.begin});
    if (options.data.train.empty())
      refuse("data", "data.train is missing: give the training times, [first, last]");
    loader.range =
        parse_time_range(options.data.train[0], options.data.train[1], run.source->catalog().calendar);
    // The loader's thread needs a source of its own, because evaluation during training reads the run's.
    agree(world, mesh.world, [&] {
      run.loader.emplace(std::shared_ptr<Source>(open_source(options.data.path, options.data.layout)),
                         run.statistics, loader);
    });
  }
  return run;
}

}  // namespace graticule
