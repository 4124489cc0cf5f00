#include "graticule/train/build.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <array>

#include "graticule/core/cores.h"
#include "graticule/core/error.h"
#include "graticule/kernel/torch_types.h"
#include "graticule/model/vit.h"
#include "graticule/recipe/layout.h"
#include "graticule/recipe/loss_weights.h"
#include "graticule/recipe/share.h"
#include "graticule/train/ranges.h"
#include "graticule/train/statistics_pass.h"
#include "graticule/train/task.h"

namespace graticule {

namespace {

// The grid of the samples: that of the data, or of their crops.
TokenGrid grid_of(const DataOptions& data, const Catalog& catalog) {
  TokenGrid grid{
      .variables = std::ssize(data.variables), .rows = catalog.rows(), .columns = catalog.columns()};
  grid.kind = catalog.grid, grid.layers = catalog.layers(), grid.cells = catalog.cells;
  for (size_t i = 0; i < catalog.axes.size(); ++i)  // the last axes of a volume are those of a plane
    grid.periodic_axes[3 - catalog.axes.size() + i] = catalog.axes[i].periodic;
  if (data.crop.empty()) return grid;
  const std::array<int64_t*, 3> sizes = {&grid.layers, &grid.rows, &grid.columns};
  for (size_t i = 0; i < data.crop.size(); ++i) {
    const ImageAxis& axis = catalog.axes[i];
    const size_t at = 3 - data.crop.size() + i;
    if (data.crop[i] > std::ssize(axis.values))
      refuse("data", "data.crop = ", data.crop[i], " along ", axis.name, ": the images have ",
             axis.values.size(), " pixels there; choose at most as many");
    if (data.crop[i] < std::ssize(axis.values)) grid.periodic_axes[at] = false;
    *sizes[at] = data.crop[i];
  }
  return grid;
}

// Refuses settings of dates for samples without dates.
void refuse_dates(const Options& options, const Catalog& catalog) {
  if (catalog.calendar != Calendar::none || !options.model.calendar) return;
  refuse("model", "model.calendar = true: the samples of ", catalog.path, " have no dates; leave it out");
}

}  // namespace

ModelShape shape_of(const ModelOptions& model, const TokenGrid& grid) {
  ModelShape shape;
  shape.grid = grid;
  shape.grid.mode = model.tokens, shape.grid.patch = model.patch;
  if (grid.kind == GridKind::cells) {
    if (model.patch != Patch(model.patch.rows))
      refuse("model", "patch = ", in_words(model.patch),
             " on a grid of cells: give one number, the cells of a run");
    set_cells(shape.grid, grid.cells, model.patch.rows);
  }
  const TransformerShape& sizes = model;
  static_cast<TransformerShape&>(shape) = sizes;
  validate(shape);
  if (!fits(shape.grid.patch, shape.grid)) {
    const int64_t plane = grid.kind == GridKind::cells ? grid.rows : std::min(grid.rows, grid.columns);
    refuse("model", "patch = ", in_words(model.patch), " on a grid of ", size_in_words(grid),
           ": choose at most ", grid.kind == GridKind::volume ? std::min(plane, grid.layers) : plane);
  }
  return shape;
}

ModelShape shape_of_task(const Options& options, const TokenGrid& grid) {
  const Task& task = task_of(options);
  ModelShape shape = shape_of(options.model, grid);
  shape.grid.states = options.data.history;
  if (task.needs_whole_places() && shape.grid.tokens() != shape.grid.places())
    refuse("model", "model.tokens = \"full\" with ", grid.variables, " variables: task.kind = \"",
           name_of(options.task.kind), "\" gives one output a place; choose \"channels\" or \"aggregated\"");
  task.set_outputs(options, shape);
  return shape;
}

std::shared_ptr<Source> open_data(const DataOptions& data) {
  return open_source(data.path, data.layout, data.images);
}

Problem define_problem(const Options& options) {
  Problem problem{options, open_data(options.data), {}};
  const Catalog& catalog = problem.source->catalog();
  const Task& task = task_of(options);
  task.choose(problem.options, catalog);
  refuse_overlap(options.data, catalog);
  refuse_dates(options, catalog);
  target_weights(options.train.loss_weights,
                 problem.options.data.targets);  // refuses names that are no targets
  problem.shape =
      shape_of_task(problem.options, task.input_grid(options, grid_of(problem.options.data, catalog)));
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
  task_of(options).set_reading(options, shape, loader);
  return loader;
}

void set_threads(int64_t threads, const World& world) {
  at::set_num_threads(threads > 0 ? static_cast<int>(threads) : cores_of_rank(world.local_size));
}

Mesh mesh_of(Options& options, const ModelShape& shape, const World& world) {
  const Axes axes = resolve_axes(options, world.size, shape);
  fill_in(options.parallel, axes);
  world.watch->set_timeout(options.run.watchdog_seconds, "run.watchdog_seconds");
  return make_mesh(world, axes, static_cast<int>(options.parallel.shard_ranks),
                   context_grids_of(options, shape, axes).forward);
}

namespace {

// Tokens are spread over context x ulysses x tensor, and tensor neighbours are next to each other. Attention
// sees a tensor group as one rank with all tokens of the group. `tokens`: of the sequence.
Attention attention_over(int64_t tokens, const Options& options, const ModelShape& shape, const Mesh& mesh) {
  const int64_t tensor = mesh.tensor.size(), holders = mesh.holders.size();
  AttentionOptions attention;
  for (int64_t rank = 0; rank < mesh.sequence.size(); ++rank) {
    attention.tokens_of.push_back(span_of(tokens, holders, (rank + 1) * tensor - 1).end -
                                  span_of(tokens, holders, rank * tensor).begin);
  }
  attention.context = mesh.context, attention.ulysses = mesh.ulysses;
  attention.context_queries = mesh.context_queries, attention.context_keys = mesh.context_keys;
  attention.grids = context_grids_of(options, shape, mesh.axes);
  const ExchangeOptions& exchange = options.parallel;
  attention.exchange = exchange;
  return make_attention(attention);
}

TensorLayers tensor_layers_over(int64_t tokens, const Mesh& mesh) {
  TensorLayers layers;
  layers.group = mesh.tensor;
  const int64_t tensor = mesh.tensor.size();
  for (int64_t rank = 0; rank < tensor; ++rank) {
    layers.tokens_of.push_back(
        span_of(tokens, mesh.holders.size(), mesh.sequence.rank() * tensor + rank).size());
  }
  return layers;
}

}  // namespace

Layers layers_of(const Options& options, const ModelShape& shape, const Mesh& mesh, const World& world) {
  const ParallelOptions& parallel = options.parallel;
  const int64_t S = shape.grid.tokens(), read = shape.visible_tokens();
  Layers layers;
  layers.tokens = span_of(S, mesh.holders.size(), mesh.holders.rank());
  layers.attention = attention_over(read, options, shape, mesh);
  layers.tensor = tensor_layers_over(read, mesh);
  layers.whole.holders = mesh.holders;
  if (shape.has_decoder()) {
    layers.whole.attention = attention_over(S, options, shape, mesh);
    layers.whole.tensor = tensor_layers_over(S, mesh);
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
  pipeline.output = {layers.tokens.size(), shape.outputs(), shape.output_values()};
  return layers;
}

Chain chain_of(const ModelShape& shape, const Layers& layers) {
  return {vision_transformer(shape, layers.tokens, layers.attention, layers.tensor, layers.tile_tokens,
                             layers.whole),
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
  if (for_training && !statistics)
    agree(world, mesh.world,
          [&] { task_of(options).add_statistics(options, run.source->catalog(), run.statistics); });
  if (for_training) {
    // Stages between the first and the last read no fields, so their loader gets no tokens.
    const bool reads = run.chain.first_stage() || run.chain.last_stage();
    LoaderOptions loader = loader_options(
        options, shape, mesh, reads ? layers.tokens : Span{layers.tokens.begin, layers.tokens.begin});
    loader.range = part_of_data(options.data, SplitPart::train, run.source->catalog());
    agree(world, mesh.world, [&] {
      task_of(options).add_labels(options, run.source->catalog(), run.statistics, loader);
      // The loader's thread needs a source of its own, because evaluation during training reads the run's.
      run.loader.emplace(open_data(options.data), run.statistics, loader);
    });
  }
  return run;
}

}  // namespace graticule
