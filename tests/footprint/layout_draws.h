// Random recipes for the tests of planner and memory: any axes, methods, shard levels, schedules and policies
// that the checks of recipes accept. Few numbers of ranks divide the sizes of the model.
#pragma once

#include <cmath>
#include <random>

#include "graticule/core/error.h"
#include "graticule/recipe/layout.h"
#include "graticule/train/build.h"

namespace graticule {

struct Draw {
  Options options;
  ModelShape shape;
  Axes axes;
};

namespace draws {

inline int64_t one_of(std::mt19937_64& random, std::initializer_list<int64_t> choices) {
  return choices.begin()[random() % choices.size()];
}

/// A random number in [least, most], uniform in its logarithm.
inline int64_t between(std::mt19937_64& random, double least, double most) {
  const double part = static_cast<double>(random() >> 11) * 0x1.0p-53;
  return static_cast<int64_t>(least * std::pow((most + 1) / least, part));
}

template <class Choices>
auto pick(std::mt19937_64& random, const Choices& choices) {
  return choices[random() % std::size(choices)];
}

/// Draws a form of queries and keys. Heads must be at least 6 wide.
inline void draw_form(ModelOptions& model, std::mt19937_64& random) {
  model.qk_norm = pick(random, std::vector{QkNorm::none, QkNorm::layer, QkNorm::cosine, QkNorm::cosine});
  const bool layer = model.qk_norm == QkNorm::layer;
  const auto place = pick(random, std::vector{PlaceForm::added, PlaceForm::aimed, PlaceForm::rotary});
  model.place = layer ? PlaceForm::added : place;
  model.qk_variables = !layer && random() % 2 == 0;
  model.add_merged = random() % 2 == 0;
}

/// Draws the keys of a layout that do not depend on sizes.
inline void draw_choices(Draw& draw, std::mt19937_64& random, const std::vector<Activations>& policies) {
  Options& o = draw.options;
  ParallelOptions& p = o.parallel;
  draw_form(o.model, random);
  o.model.tokens = pick(random, std::vector{TokenMode::full, TokenMode::aggregated, TokenMode::channels});
  fill_in(p, draw.axes);
  p.context_method = pick(random, std::vector{ContextMethod::lss, ContextMethod::ring, ContextMethod::mesh});
  const auto rows = static_cast<int64_t>(random() % 3);
  p.mesh_rows = rows > 0 && draw.axes.context % rows == 0 ? rows : 0;
  p.shard = pick(random, std::vector{Shard::none, Shard::optimizer, Shard::gradients, Shard::full});
  p.schedule = pick(random, std::vector{ScheduleKind::gpipe, ScheduleKind::one_f_one_b,
                                        ScheduleKind::interleaved, ScheduleKind::zero_bubble});
  p.chunks = p.schedule == ScheduleKind::interleaved ? 2 : 1;
  p.head_groups = one_of(random, {1, 2, 3}), p.gather_heads = one_of(random, {0, 1, 2});
  p.keep_exchanged = random() % 2 == 0;
  const int replicas = draw.axes.data * draw.axes.sequence();
  p.shard_ranks = replicas % 2 == 0 && random() % 2 == 0 ? replicas / 2 : 0;
  o.train.activations = pick(random, policies);
  o.train.precision = pick(random, std::vector{Precision::fp32, Precision::bf16});
  o.train.steps = 2, o.train.warmup = 1, o.train.threads = 1;
}

// Adds earlier states and steps of a roll-out.
inline Draw with_steps(Draw draw, std::mt19937_64& random) {
  draw.options.data.history = one_of(random, {1, 1, 3});
  draw.options.train.rollout = one_of(random, {1, 1, 2, 3});
  draw.shape.grid.states = draw.options.data.history;
  return draw;
}

// Draws the keys of `reconstruct` for the layout, which then has no pipeline.
inline void draw_masks(Draw& draw, std::mt19937_64& random) {
  TaskOptions& task = draw.options.task;
  ParallelOptions& p = draw.options.parallel;
  task.masked = static_cast<double>(between(random, 30, 85)) / 100;
  const bool full = draw.options.model.tokens == TokenMode::full && draw.shape.grid.variables > 1;
  task.mask = pick(
      random, std::vector{MaskKind::random, MaskKind::block, full ? MaskKind::variable : MaskKind::random});
  task.mask_block = one_of(random, {2, 3});
  task.decoder_depth = one_of(random, {1, 2});
  task.decoder_heads =
      draw.axes.tensor * draw.axes.ulysses * one_of(random, {1, 1, 2}) + one_of(random, {0, 1});
  task.decoder_dim = task.decoder_heads * one_of(random, {8, 16, 32});
  draw.axes.pipeline = 1, p.schedule = ScheduleKind::one_f_one_b, p.chunks = 1;
  fill_in(p, draw.axes);
}

}  // namespace draws

/// The draw with a random task; with another layout or other tokens where the task needs them. A draw with several
/// states or steps stays a forecast.
inline Draw with_task(const Draw& draw, std::mt19937_64& random) {
  if (draw.options.data.history > 1 || draw.options.train.rollout > 1) return draw;
  for (;;) {
    Draw of_task = draw;
    Options& o = of_task.options;
    o.task.kind = choices_of<TaskKind>[random() % choices_of<TaskKind>.size()].value;
    if (o.task.kind == TaskKind::forecast) return draw;
    if (o.task.kind == TaskKind::downscale && draw.shape.grid.kind == GridKind::cells) continue;
    o.data.lead_hours = {0}, o.data.predict = Predict::state;
    if (o.task.kind == TaskKind::segment && o.model.tokens == TokenMode::full)
      o.model.tokens = TokenMode::channels;
    if (o.task.kind == TaskKind::segment) o.task.labels = "labels";
    o.task.classes = draws::between(random, 2, 20), o.task.factor = draws::one_of(random, {2, 3});
    o.data.images.grid = draw.shape.grid.kind;
    if (o.task.kind == TaskKind::reconstruct) draws::draw_masks(of_task, random);
    of_task.shape = shape_of_task(o, draw.shape.grid);
    if (of_task.axes.world() > 1 && !trouble_with(of_task.axes, o, of_task.shape)) return of_task;
  }
}

/// A random layout of at most `most_ranks` ranks, for 7 heads, 5 blocks, 5 variables of 4 x 6 patches, 5
/// samples.
inline Draw draw_layout(std::mt19937_64& random, const std::vector<Activations>& policies, int most_ranks) {
  const std::initializer_list<int64_t> degrees = {1, 1, 2, 3}, contexts = {1, 1, 2, 3, 4, 6};
  const auto degree = [&] { return static_cast<int>(draws::one_of(random, degrees)); };
  for (;;) {
    Draw draw;
    Options& o = draw.options;
    o.data.path = "synthetic:rows=7,columns=12,variables=5,times=80,step_hours=6";
    o.data.train = {"2001-01-01", "2001-01-15"}, o.data.batch = 5;
    o.model.dim = 56, o.model.depth = 5, o.model.heads = 7, o.model.mlp_ratio = 1.8, o.model.head_layers = 1;
    o.model.kv_heads = random() % 3 == 0 ? 1 : 0;
    draw.axes = {degree(), degree(), static_cast<int>(draws::one_of(random, contexts)), degree(), degree()};
    draws::draw_choices(draw, random, policies);
    o.parallel.micro_batches = draws::one_of(random, {1, 2, 3});
    o.train.tile_tokens = draws::one_of(random, {4096, 3, 10});
    draw.shape = shape_of(o.model, {.variables = 5, .rows = 7, .columns = 12});
    if (draw.axes.world() < 2 || draw.axes.world() > most_ranks) continue;
    if (!trouble_with(draw.axes, o, draw.shape)) return draws::with_steps(draw, random);
  }
}

/// A random recipe of the sizes that users plan, of any task; only for dry runs. Width 128 to 2,048, 1,000 to 100,000
/// tokens, 2 to 12 blocks, 2 to 64 ranks.
inline Draw draw_planned_layout(std::mt19937_64& random, const std::vector<Activations>& policies) {
  const auto between = [&](double least, double most) { return draws::between(random, least, most); };
  for (;;) {
    Draw draw;
    Options& o = draw.options;
    o.data.path = "unused";
    o.model.heads = between(2, 32), o.model.dim = o.model.heads * 4 * between(4, 32);
    o.model.kv_heads = o.model.heads % 2 == 0 && random() % 3 == 0 ? o.model.heads / 2 : 0;
    o.model.depth = between(2, 12), o.model.head_layers = draws::one_of(random, {0, 0, 1, 2});
    o.model.mlp_ratio = static_cast<double>(between(15, 45)) / 10, o.model.patch = between(2, 4);
    const auto degree = [&] { return static_cast<int>(between(1, 6)); };
    draw.axes = {degree(), degree(), degree(), degree(), degree()};
    draws::draw_choices(draw, random, policies);
    o.parallel.micro_batches = between(1, 8);
    o.data.batch = draw.axes.data * o.parallel.micro_batches * between(1, 3);
    o.data.batch += static_cast<int64_t>(random() % static_cast<uint64_t>(draw.axes.data));
    o.train.tile_tokens = between(256, 16'384);
    o.train.moments = random() % 2 == 0 ? Precision::fp32 : Precision::bf16;
    o.train.ema = o.parallel.micro_batches % 2 == 0 ? 0.999 : 0;
    if (random() % 5 == 0) o.train.state_in = "/tmp";
    if (o.train.activations == Activations::offload && random() % 2 == 0) o.train.offload_to = "/tmp";
    const int64_t rows = between(20, 700), variables = between(2, 40);
    TokenGrid grid{.variables = variables, .rows = rows, .columns = 2 * rows - 1};
    grid.kind = choices_of<GridKind>[random() % choices_of<GridKind>.size()].value;
    if (grid.kind == GridKind::cells)
      set_cells(grid, std::make_shared<Cells>(spiral_cells(2 * rows * rows - rows)), o.model.patch.rows);
    if (grid.kind == GridKind::volume) grid.layers = between(4, 20), grid.rows = between(4, 80);
    for (bool& periodic : grid.periodic_axes) periodic = random() % 2 == 0;
    draw.shape = shape_of(o.model, grid);
    const int64_t tokens = draw.shape.grid.tokens(), world = draw.axes.world();
    if (o.model.dim < 128 || o.model.dim > 2048 || tokens < 1000 || tokens > 100'000) continue;
    if (world < 2 || world > 64) continue;
    if (trouble_with(draw.axes, o, draw.shape)) continue;
    draw = with_task(draws::with_steps(draw, random), random);
    if (draw.shape.grid.tokens() >= 1000) return draw;
  }
}

inline std::string described(const Draw& draw) { return described(draw.axes) + "\n" + to_toml(draw.options); }

}  // namespace graticule
