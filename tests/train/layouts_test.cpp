// Tests that the whole program gives the same on any layout as on one rank: loss, gradient norm and every
// gradient of the first step, and the losses of ten steps.

#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "graticule/comm/order.h"
#include "graticule/core/error.h"
#include "graticule/data/field_writer.h"
#include "graticule/recipe/layout.h"
#include "graticule/train/build.h"
#include "graticule/train/step.h"
#include "tests/ranks.h"
#include "tests/seed.h"
#include "tests/train/scratch_folder.h"
#include "tests/train/whole_model.h"

namespace graticule {
namespace {

// A form of queries and keys, and a width of the model that it can have.
struct Form {
  int dim;
  const char* keys;
};
constexpr Form layered = {28, "qk_norm = \"layer\"\nplace = \"added\"\nqk_variables = false\n"},
               aimed = {56,
                        "qk_norm = \"cosine\"\nplace = \"aimed\"\nqk_variables = true\nadd_merged = true\n"},
               rotary = {28, "qk_norm = \"cosine\"\nplace = \"rotary\"\nqk_variables = true\n"},
               aimed_only = {56, "qk_norm = \"none\"\nplace = \"aimed\"\nqk_variables = false\n"};

struct Layout {
  Axes axes;
  std::string method = "lss", shard = "none", schedule = "1f1b", activations = "keep";
  int micro_batches = 1, chunks = 1, shard_ranks = 0, head_groups = 1, gather_heads = 0, tile = 4096;
  bool keep_exchanged = true, offloads_to_a_file = false;
};

// Awkward on purpose: 7 heads, 5 blocks, tokens that nothing divides.
struct Model {
  std::string tokens = "full", precision = "fp32", grid = "sphere";
  Form form = layered;
  int rows = 7, columns = 12, variables = 5, kv_heads = 0;
  int steps = 1;
  std::string task = "forecast", mask = "random";
};

std::string parallel_section(const Layout& l) {
  return text(
      "[parallel]\npipeline = ", l.axes.pipeline, "\ndata = ", l.axes.data, "\ncontext = ", l.axes.context,
      "\nulysses = ", l.axes.ulysses, "\ntensor = ", l.axes.tensor, "\ncontext_method = \"", l.method,
      "\"\nshard = \"", l.shard, "\"\nschedule = \"", l.schedule, "\"\nmicro_batches = ", l.micro_batches,
      "\nchunks = ", l.chunks, "\nshard_ranks = ", l.shard_ranks, "\nhead_groups = ", l.head_groups,
      "\ngather_heads = ", l.gather_heads, "\nkeep_exchanged = ", l.keep_exchanged ? "true" : "false", "\n");
}

// Three trajectories of random images, written as NumPy does.
void write_images(const std::string& path, const Model& m) {
  const std::string layers = m.grid == "volume" ? "3, " : "";
  const std::string header = text("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 9, ", layers, m.rows,
                                  ", ", m.columns, ", ", m.variables, "), }\n");
  std::string bytes = std::string("\x93NUMPY\x01\x00", 8);
  bytes += {static_cast<char>(header.size()), '\0'};
  bytes += header;
  std::mt19937 random(5);
  for (int i = 0; i < 3 * 9 * (layers.empty() ? 1 : 3) * m.rows * m.columns * m.variables; ++i) {
    const bool label = m.task == "segment" && i % m.variables == m.variables - 1;
    const float value = static_cast<float>(random() % (label ? 3 : 1000)) / (label ? 1 : 1000);
    bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  write_bytes(path, bytes);
}

// An odd number of cells of different areas, at 30 times.
void write_cells(const std::string& path, const Model& m) {
  auto cells = std::make_shared<Cells>(spiral_cells(int64_t{m.rows} * m.columns - 1));
  FieldWriterOptions options;
  options.path = path;
  for (int i = 0; i < 30; ++i) options.times.push_back(978'307'200 + i * int64_t{21'600});
  for (int v = 0; v < m.variables; ++v) options.variables.push_back({text("v", v), "", "", "", false});
  std::mt19937 random(5);
  const auto draw = [&] { return static_cast<float>(random() % 1000) / 1000; };
  for (double& area : cells->areas) area *= 0.5 + draw();
  options.cells = cells;
  FieldWriter writer(options);
  for (const Variable& variable : options.variables) {
    for (int64_t time = 0; time < 30; ++time) {
      std::vector<float> field(cells->areas.size());
      std::generate(field.begin(), field.end(), draw);
      writer.write(variable.name, time, 0, field);
    }
  }
  writer.finish();
}

std::string task_section(const Model& m) {
  if (m.task == "forecast") return "";
  const std::string kind = text("[task]\nkind = \"", m.task, "\"\n");
  if (m.task == "segment") return kind + "labels = \"images_4\"\nclasses = 3\n";
  return text(kind, "masked = 0.7\nmask = \"", m.mask, "\"\nmask_block = 2\ndecoder_dim = 56\n",
              "decoder_heads = 7\ndecoder_depth = 2\n");
}

std::string data_section(const std::string& folder, const Model& m) {
  if (m.grid == "cells")
    return text(
        "path = \"", folder,
        "/cells.nc\"\ngrid = \"cells\"\nlead_hours = [12, 24]\ntrain = [\"2001-01-01\", \"2001-01-07\"]\n");
  if (m.grid == "sphere") {
    return text(
        "path = \"synthetic:rows=", m.rows, ",columns=", m.columns, ",variables=", m.variables,
        ",times=80,step_hours=6\"\nlead_hours = [12, 24]\ntrain = [\"2001-01-01\", \"2001-01-15\"]\n");
  }
  return text("path = \"", folder, "/images.npy\"\ngrid = \"", m.grid, "\"\n",
              m.task == "forecast" ? "lead_hours = [1, 2]\n" : "",
              "train = [\"0-1\"]\nperiodic = [\"columns\"]\ndimensions = [\"sample\", "
              "\"step\", ",
              m.grid == "volume" ? "\"layer\", " : "", "\"row\", \"column\", \"channel\"]\n");
}

std::string recipe(const std::string& folder, const Model& m, const Layout& l) {
  return text("[data]\n", data_section(folder, m), "batch = 4\n", task_section(m),
              "[model]\npatch = 2\ndepth = 5\nheads = 7\nmlp_ratio = 1.8\ncalendar = ",
              m.grid == "sphere" || m.grid == "cells" ? "true" : "false",
              "\ndrop_path = 0.3\ndim = ", m.form.dim, "\n", "kv_heads = ", m.kv_heads, "\ntokens = \"",
              m.tokens, "\"\n", m.form.keys, parallel_section(l), "[train]\n",
              m.task == "segment" ? "" : "loss_weights = \"pressure\"\n", "steps = ", m.steps,
              "\nwarmup = 1\nlr = 1e-3\nthreads = 1\nseed = 11\nprecision = \"", m.precision,
              "\"\nactivations = \"", l.activations, "\"\ntile_tokens = ", l.tile, "\noffload_to = \"",
              l.offloads_to_a_file ? folder : "", "\"\n[run]\nout = \"", folder, "\"\n");
}

struct Outcome {
  std::vector<double> losses;
  double norm = 0;
  WholeModel gradients, weights;
};

void run_steps(const World& world, const std::string& text, Outcome& outcome) {
  world.watch->set_keeps_order(true);
  Run run = assemble(define_problem(parse_recipe(text, "test")), world, true);
  std::vector<double> losses;
  double norm = 0;
  const Shard level = run.options.parallel.shard;
  for (int64_t i = 0; i < run.options.train.steps; ++i) {
    const StepResult result = train_step(run, false);
    check_order(run.mesh);
    losses.push_back(result.loss);
    if (i == 0) {
      norm = result.gradient_norm;
      outcome.gradients.add(run.chain, level, [](auto& part) { return part.owned_gradient(); });
    }
  }
  outcome.weights.add(run.chain, level, [](auto& part) { return part.state().master; });
  if (world.rank == 0) outcome.losses = losses, outcome.norm = norm;
}

std::shared_ptr<Outcome> outcome_of(const Model& model, const Layout& layout) {
  const ScratchFolder folder;
  const auto outcome = std::make_shared<Outcome>();
  if (model.grid == "cells") write_cells(folder.path() + "/cells.nc", model);
  if (model.grid == "plane" || model.grid == "volume") write_images(folder.path() + "/images.npy", model);
  run_ranks(layout.axes.world(),
            [&](const World& world) { run_steps(world, recipe(folder.path(), model, layout), *outcome); });
  return outcome;
}

double largest(const at::Tensor& x) { return x.abs().max().item<double>(); }

// A gradient that is zero except for rounding (that of the bias of keys) has no correct digits. So
// differences below `floor` x the largest gradient of the model do not count.
void expect_same_gradients(const Outcome& got, const Outcome& expected, double tolerance, double floor) {
  double top = 0;
  for (const auto& [name, value] : expected.gradients.values()) top = std::max(top, largest(value));
  ASSERT_EQ(got.gradients.values().size(), expected.gradients.values().size());
  for (const auto& [name, value] : expected.gradients.values()) {
    const at::Tensor& other = got.gradients.values().at(name);
    EXPECT_LE(largest(other - value), tolerance * largest(value) + floor * top) << name;
  }
}

void expect_equal_to_one_rank(const Layout& layout, const Model& model) {
  SCOPED_TRACE(::testing::Message() << parallel_section(layout) << layout.activations << " by tiles of "
                                    << layout.tile << ", tokens " << model.tokens << ", " << model.kv_heads
                                    << " key heads");
  const auto expected = outcome_of(model, {}), got = outcome_of(model, layout);
  EXPECT_NEAR(got->losses[0], expected->losses[0], 1e-5 * expected->losses[0]);
  EXPECT_NEAR(got->norm, expected->norm, 1e-5 * expected->norm);
  expect_same_gradients(*got, *expected, 1e-5, 2e-6);
  for (size_t i = 1; i < expected->losses.size(); ++i) {
    EXPECT_NEAR(got->losses[i], expected->losses[i], 1e-4 * expected->losses[i]) << "step " << i;
  }
}

TEST(Layouts, EqualOneRankAt1003TokensAndTenSteps) {
  Model model;
  model.rows = 4, model.columns = 118, model.variables = 17, model.tokens = "channels";
  model.steps = 10;
  expect_equal_to_one_rank({.axes = {.pipeline = 2, .context = 2, .tensor = 2},
                            .method = "ring",
                            .shard = "full",
                            .schedule = "zero_bubble",
                            .micro_batches = 3},
                           model);
  model.rows = 2, model.tokens = "full", model.steps = 1;  // 17 x 59 = 1,003
  expect_equal_to_one_rank({.axes = {.context = 2, .ulysses = 3}, .gather_heads = 2}, model);
  expect_equal_to_one_rank({.axes = {.context = 7}, .method = "ring", .shard = "gradients"}, model);
  expect_equal_to_one_rank({.axes = {.context = 6}, .method = "mesh", .gather_heads = 2}, model);
  expect_equal_to_one_rank(
      {.axes = {.context = 4, .ulysses = 2}, .method = "mesh", .activations = "recompute"}, model);
}

TEST(Layouts, EqualOneRankOnPlanesVolumesAndCells) {
  Model model;
  model.form = aimed, model.grid = "plane";
  expect_equal_to_one_rank({.axes = {.context = 2, .ulysses = 2}, .method = "ring"}, model);
  model.grid = "volume", model.tokens = "aggregated";
  expect_equal_to_one_rank({.axes = {.data = 2, .context = 3}, .method = "mesh", .shard = "full"}, model);
  model.grid = "cells", model.tokens = "full";
  expect_equal_to_one_rank({.axes = {.context = 3, .tensor = 2}, .method = "ring", .tile = 7}, model);
  model.form = rotary, model.tokens = "channels";
  expect_equal_to_one_rank({.axes = {.pipeline = 2, .context = 2, .ulysses = 2}, .shard = "full"}, model);
}

TEST(Layouts, TasksEqualOneRank) {
  Model model;
  model.form = aimed, model.grid = "plane", model.task = "reconstruct";
  expect_equal_to_one_rank({.axes = {.context = 3}, .method = "ring"}, model);
  model.mask = "variable";  // some rank has no visible token
  expect_equal_to_one_rank({.axes = {.context = 2, .ulysses = 2}}, model);
  model.mask = "block", model.grid = "volume", model.tokens = "aggregated";
  expect_equal_to_one_rank({.axes = {.data = 2, .tensor = 3}, .shard = "full", .micro_batches = 2}, model);
  expect_equal_to_one_rank({.axes = {.context = 4}, .method = "mesh", .activations = "recompute", .tile = 3},
                           model);
  model.task = "segment";
  expect_equal_to_one_rank({.axes = {.data = 2, .context = 3}, .shard = "gradients"}, model);
  model.grid = "plane", model.tokens = "channels";
  expect_equal_to_one_rank({.axes = {.pipeline = 2, .context = 2, .tensor = 2}, .micro_batches = 3}, model);
}

TEST(Layouts, TenStepsLoseAsOneRanks) {
  Model model;
  model.steps = 10;
  expect_equal_to_one_rank({.axes = {.ulysses = 4}, .shard = "full", .activations = "recompute"}, model);
  expect_equal_to_one_rank({.axes = {.data = 3, .context = 2}, .shard = "gradients"}, model);
  expect_equal_to_one_rank(
      {.axes = {.pipeline = 2, .tensor = 2}, .schedule = "interleaved", .micro_batches = 2, .chunks = 2},
      model);
}

TEST(Layouts, EachSchemeAloneEqualsOneRank) {
  const Layout layouts[] = {
      {.axes = {.ulysses = 2}},
      {.axes = {.ulysses = 4}, .head_groups = 2},
      {.axes = {.ulysses = 3}, .activations = "recompute", .keep_exchanged = false},
      {.axes = {.context = 3},
       .shard = "full",
       .activations = "recompute",
       .micro_batches = 2,
       .gather_heads = 2},
      {.axes = {.context = 3}, .method = "ring"},
      {.axes = {.context = 2},
       .activations = "offload",
       .micro_batches = 2,
       .head_groups = 3,
       .tile = 5,
       .offloads_to_a_file = true},
      {.axes = {.tensor = 3}},
      {.axes = {.tensor = 7}, .shard = "optimizer", .activations = "recompute"},
      {.axes = {.data = 2, .context = 2, .ulysses = 2}, .shard = "gradients", .micro_batches = 2},
      {.axes = {.data = 2, .context = 2, .ulysses = 2}, .shard = "full", .shard_ranks = 4},
      {.axes = {.pipeline = 3}, .schedule = "gpipe", .micro_batches = 4},
      {.axes = {.pipeline = 2}, .schedule = "1f1b", .micro_batches = 3},
      {.axes = {.pipeline = 2}, .schedule = "interleaved", .micro_batches = 4, .chunks = 2},
      {.axes = {.pipeline = 3}, .schedule = "zero_bubble", .activations = "recompute", .micro_batches = 4},
      {.axes = {.pipeline = 2, .data = 2, .tensor = 2},
       .shard = "full",
       .micro_batches = 2,
       .shard_ranks = 1},
  };
  Model model;
  model.form = aimed;
  for (const Layout& layout : layouts) expect_equal_to_one_rank(layout, model);
}

// Any product of axes, methods, shard levels and schedules that the recipe's checks let through.
Layout random_layout(std::mt19937_64& random, const Model& model) {
  const auto pick = [&](const auto& choices) { return choices[random() % std::size(choices)]; };
  const char* const methods[] = {"lss", "ring", "mesh"};
  const char* const shards[] = {"none", "optimizer", "gradients", "full"};
  const char* const policies[] = {"keep", "recompute", "recompute_but_attention", "offload"};
  const int tiles[] = {4096, 3, 10};
  const char* const schedules[] = {"gpipe", "1f1b", "interleaved", "zero_bubble"};
  const int degrees[] = {1, 1, 2, 3}, contexts[] = {1, 1, 2, 3, 4, 6};
  const int small[] = {1, 2, 3};
  for (;;) {
    Layout l;
    l.axes = {pick(degrees), pick(degrees), pick(contexts), pick(degrees), pick(degrees)};
    l.method = pick(methods), l.shard = pick(shards), l.activations = pick(policies), l.tile = pick(tiles);
    l.schedule = l.axes.pipeline > 1 ? pick(schedules) : "1f1b";
    l.chunks = l.schedule == "interleaved" ? 2 : 1;
    l.micro_batches = pick(small), l.head_groups = pick(small), l.gather_heads = pick(small) - 1;
    l.keep_exchanged = random() % 2 == 0;
    l.offloads_to_a_file = l.activations == "offload" && random() % 2 == 0;
    const int replicas = l.axes.data * l.axes.sequence();
    l.shard_ranks = replicas % 2 == 0 && random() % 2 == 0 ? replicas / 2 : 0;
    if (l.axes.world() < 2 || l.axes.world() > 8) continue;
    const Options options = parse_recipe(recipe("unused", model, l), "test");
    const TokenGrid grid{.variables = model.variables, .rows = model.rows, .columns = model.columns};
    if (!trouble_with(l.axes, options, shape_of(options.model, grid))) return l;
  }
}

TEST(Layouts, EqualOneRankWhenDrawnAtRandom) {
  const auto seed = test_seed();
  std::mt19937_64 random(seed);
  const char* const modes[] = {"full", "full", "aggregated", "channels"};
  const Form forms[] = {layered, aimed, aimed, rotary, aimed_only};
  for (int i = 0; i < 8; ++i) {
    Model model;
    model.tokens = modes[random() % 4];
    model.kv_heads = random() % 3 == 0 ? 1 : 0;
    model.form = forms[random() % std::size(forms)];
    model.grid = std::string(name_of(choices_of<GridKind>[random() % choices_of<GridKind>.size()].value));
    if (model.grid == "volume") model.form = model.form.dim == 56 ? model.form : aimed;
    SCOPED_TRACE(::testing::Message() << "seed " << seed << ", draw " << i);
    expect_equal_to_one_rank(random_layout(random, model), model);
  }
}

double error_of(const WholeModel& got, const WholeModel& exact) {
  double error = 0, size = 0;
  for (const auto& [name, value] : exact.values()) {
    error += (got.values().at(name) - value).square().sum().item<double>();
    size += value.square().sum().item<double>();
  }
  return std::sqrt(error / size);
}

// In bf16 another layout rounds in another order. Its error may not be larger than that of one rank.
TEST(Layouts, Bf16IsAsNearToFp32AsOneRanks) {
  Model exact, half;
  exact.form = half.form = aimed, half.precision = "bf16";
  const auto reference = outcome_of(exact, {}), alone = outcome_of(half, {});
  const double allowed = 1.5 * error_of(alone->gradients, reference->gradients);
  const Layout layouts[] = {
      {.axes = {.context = 2, .ulysses = 2, .tensor = 2}, .method = "ring", .shard = "full"},
      {.axes = {.data = 2, .context = 3}, .shard = "gradients"},
      {.axes = {.pipeline = 2, .ulysses = 3}, .schedule = "zero_bubble", .micro_batches = 4},
  };
  const auto seed = test_seed();
  std::mt19937_64 random(seed);
  std::vector<Layout> all(std::begin(layouts), std::end(layouts));
  for (int i = 0; i < 3; ++i) all.push_back(random_layout(random, half));
  for (const Layout& layout : all) {
    SCOPED_TRACE(text("seed ", seed, "\n", parallel_section(layout)));
    const auto got = outcome_of(half, layout);
    EXPECT_LT(error_of(got->gradients, reference->gradients), allowed);
    EXPECT_NEAR(got->losses[0], reference->losses[0], 5e-3 * reference->losses[0]);
  }
}

}  // namespace
}  // namespace graticule
