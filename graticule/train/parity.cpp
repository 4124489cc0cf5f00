#include "graticule/train/parity.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <map>

#include "graticule/recipe/layout.h"
#include "graticule/train/build.h"
#include "graticule/train/loss.h"
#include "graticule/train/task.h"

namespace graticule {

namespace {

constexpr int64_t small_head_width = 8, small_variables = 5;

// Random fields of all tokens. Each rank cuts its part out.
struct Data {
  at::Tensor input_BSKI, target_BSKP, weight_BSKP;
};

Data random_data(const ModelShape& shape, int64_t batch) {
  auto generator = at::detail::createCPUGenerator(17);
  const TokenGrid& grid = shape.grid;
  const auto draw = [&](int64_t each, int64_t last) {
    return at::randn({batch, grid.tokens(), each, last}, generator, at::kFloat);
  };
  const int64_t outputs = shape.outputs(), values = shape.output_values();
  return {draw(grid.variables_per_token(), grid.inputs()), draw(outputs, values),
          draw(outputs, values).abs()};
}

// The model in one layout after one forward and backward.
struct Outcome {
  Chain chain;
  at::Tensor output_BTKP;  ///< of this rank's samples and tokens
  Span samples, tokens;
  double loss;
};

Inputs inputs_of(const Span& samples, const ModelShape& shape, uint64_t seed, const at::Device& device) {
  Inputs inputs;
  if (shape.has_decoder())
    inputs.visible = std::make_shared<const std::vector<int64_t>>(
        visible_tokens({.visible = shape.visible_tokens()}, shape.grid, seed, 0));
  inputs.lead_hours_B = at::full({samples.size()}, 24.0, at::TensorOptions(at::kFloat).device(device));
  for (int64_t id = samples.begin; id < samples.end; ++id) {
    inputs.sample_ids.push_back(id);
    inputs.times.push_back(id * 1'000'000);  // different hours and days
  }
  inputs.seed = seed;
  return inputs;
}

Outcome run_layout(Options options, const ModelShape& shape, const World& world, const Data& data) {
  const Mesh mesh = mesh_of(options, shape, world);
  const Layers layers = layers_of(options, shape, mesh, world);
  const Span samples = span_of(options.data.batch, mesh.data.size(), mesh.data.rank());
  const auto seed = static_cast<uint64_t>(options.train.seed);
  Outcome outcome{chain_of(shape, layers), {}, samples, layers.tokens, 0};
  Chain& chain = outcome.chain;
  const auto cut = [&](const at::Tensor& all, const Span& part) {
    return all.narrow(0, part.begin, part.size())
        .narrow(1, layers.tokens.begin, layers.tokens.size())
        .to(chain.device());
  };
  outcome.output_BTKP =
      chain.predict(cut(data.input_BSKI, samples), inputs_of(samples, shape, seed, chain.device())).cpu();
  std::vector<MicroBatch> micro_batches;
  for (int64_t m = 0; m < options.parallel.micro_batches; ++m) {
    const Span local = span_of(samples.size(), options.parallel.micro_batches, m);
    const Span part{samples.begin + local.begin, samples.begin + local.end};
    Inputs inputs = inputs_of(part, shape, seed, chain.device());
    inputs.training = true;
    micro_batches.push_back(
        {cut(data.input_BSKI, part), inputs,
         [target = cut(data.target_BSKP, part), weight = cut(data.weight_BSKP, part)](
             const at::Tensor& prediction) { return squared_error_sum(prediction, target, weight); }});
  }
  const at::Tensor loss = chain.train(micro_batches).to(at::kDouble).view({1});
  chain.finish_reduce();
  outcome.loss = mesh.world.all_reduce(loss).wait().item<double>();
  return outcome;
}

double largest(const at::Tensor& x) { return x.numel() == 0 ? 0 : x.abs().max().item<double>(); }

// Differences from one rank, and the largest values of one rank: "output", "loss", then each block's
// gradient.
struct Differences {
  std::vector<std::string> names;
  at::Tensor difference, size;  ///< fp64, one entry a name
};

Differences differences(Outcome& got, Outcome& exact, const Group& world) {
  Differences all;
  std::map<std::string, int64_t> place_of;
  const auto place = [&](const std::string& name) {
    const auto [found, fresh] = place_of.try_emplace(name, std::ssize(all.names));
    if (fresh) all.names.push_back(name);
    return found->second;
  };
  std::map<std::string, at::Tensor> gradients;
  place("output"), place("loss");
  for (auto* part : exact.chain.parts()) {
    place("gradient of " + part->block());
    const Weights views = as_weights(part->parameters(), part->owned_gradient());
    for (const auto& [name, view] : views.items()) gradients[part->block() + "." + name] = view;
  }
  all.difference = at::zeros({std::ssize(all.names)}, at::kDouble), all.size = at::zeros_like(all.difference);
  const auto note = [&](int64_t at, double difference, double size) {
    all.difference[at] = std::max(all.difference[at].item<double>(), difference);
    all.size[at] = std::max(all.size[at].item<double>(), size);
  };
  const at::Tensor output = exact.output_BTKP.narrow(0, got.samples.begin, got.samples.size())
                                .narrow(1, got.tokens.begin, got.tokens.size());
  note(0, largest(got.output_BTKP - output), largest(exact.output_BTKP));
  note(1, std::abs(got.loss - exact.loss), std::abs(exact.loss));
  for (auto* part : got.chain.parts()) {
    std::vector<at::Tensor> flat;
    for (const auto& parameter : part->parameters())
      flat.push_back(cut_of(parameter, gradients.at(part->block() + "." + parameter.name)).reshape(-1));
    const at::Tensor expected = at::cat(flat), mine = part->owned_gradient().cpu();
    const Span owned = part->owned();
    note(place("gradient of " + part->block()), largest(mine - expected.narrow(0, owned.begin, owned.size())),
         largest(expected));
  }
  all.difference = world.all_reduce(all.difference, Reduction::max).wait();
  all.size = world.all_reduce(all.size, Reduction::max).wait();
  return all;
}

}  // namespace

std::pair<Options, ModelShape> small_case(const Options& recipe, int ranks) {
  Options options = recipe;
  ModelOptions& model = options.model;
  // As many patches along each axis.
  const auto grid_of = [&](int64_t layers, int64_t rows, int64_t columns) {
    const bool one = task_of(recipe).needs_whole_places() && model.tokens == TokenMode::full;
    TokenGrid grid{.variables = one ? 1 : small_variables,
                   .rows = rows * model.patch.rows,
                   .columns = columns * model.patch.columns};
    grid.kind = recipe.data.images.grid;
    if (grid.kind == GridKind::cells) {  // the last run of cells is short
      const int64_t count =
          std::max<int64_t>(model.patch.rows, layers * rows * columns * model.patch.rows - 1);
      set_cells(grid, std::make_shared<Cells>(spiral_cells(count)), model.patch.rows);
    }
    if (grid.kind == GridKind::volume) grid.layers = layers * model.patch.layers;
    for (const std::string& axis : recipe.data.images.periodic)
      grid.periodic_axes[static_cast<size_t>(*value_named<GridAxis>(axis))] = true;
    return grid;
  };
  const ModelShape full = shape_of(model, grid_of(64, 64, 64));
  const int64_t stages = std::max<int64_t>(1, recipe.parallel.pipeline) * recipe.parallel.chunks;
  model.heads = full.heads;
  model.dim = full.heads * small_head_width;
  model.depth = std::min(full.depth, std::max<int64_t>(2, stages + 1));
  // Sizes that nothing divides: 3 rows (of 3 layers) of an odd number of patches, more tokens than ranks.
  const int64_t columns = std::max<int64_t>(5, ranks / 3 + 2) | 1;
  const ModelShape shape = shape_of_task(options, grid_of(3, 3, columns));
  options.data.batch = ranks * recipe.parallel.micro_batches;  // enough for any degree of data
  const Axes axes = resolve_axes(options, ranks, shape);
  fill_in(options.parallel, axes);
  options.data.batch = axes.data * recipe.parallel.micro_batches + 1;  // uneven, to test uneven samples
  // About four uneven tiles for a rank of the layout; one rank alone takes all its tokens as one tile.
  options.train.tile_tokens = shape.grid.tokens() / (axes.sequence() * axes.tensor) / 4 + 1;
  return {options, shape};
}

Parity compare_with_one_rank(const Options& recipe, const World& world) {
  auto [options, shape] = small_case(recipe, world.size);
  set_threads(options.train.threads, world);
  const Data data = random_data(shape, options.data.batch);
  Options alone = options;
  alone.parallel = ParallelOptions();
  alone.train.device = DeviceKind::cpu;
  alone.train.tile_tokens = shape.grid.tokens();
  const Group everyone = group_of_all(world);
  const auto in = [](Options which, Precision precision) {
    which.train.precision = precision;
    return which;
  };

  Outcome exact = run_layout(in(alone, Precision::fp32), shape, lone_world(), data);
  Outcome spread = run_layout(in(options, Precision::fp32), shape, world, data);
  const Differences fp32 = differences(spread, exact, everyone);
  std::optional<Differences> bf16, bf16_alone;
  if (recipe.train.precision == Precision::bf16) {
    Outcome half = run_layout(in(options, Precision::bf16), shape, world, data);
    Outcome half_alone = run_layout(in(alone, Precision::bf16), shape, lone_world(), data);
    bf16 = differences(half, exact, everyone);
    bf16_alone = differences(half_alone, exact, everyone);
  }

  Parity parity{options, shape.grid.tokens(), shape.depth, shape.dim, {}, true};
  for (size_t i = 0; i < fp32.names.size(); ++i) {
    const auto relative = [&](const std::optional<Differences>& d) {
      const auto at = static_cast<int64_t>(i);
      return d ? d->difference[at].item<double>() / std::max(fp32.size[at].item<double>(), 1e-30) : 0.0;
    };
    const ParityLine line{fp32.names[i], relative(fp32), relative(bf16), relative(bf16_alone)};
    parity.equal &= line.fp32 <= (i < 2 ? 1e-5 : 2e-5);
    if (bf16) parity.equal &= line.bf16 <= 2 * line.bf16_alone + 1e-3;
    parity.lines.push_back(line);
  }
  return parity;
}

}  // namespace graticule
