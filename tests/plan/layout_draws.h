// Random recipes for the planner's tests: any product of axes, methods, levels, schedules and policies that
// the recipe's checks let through, on a model that nothing divides.
#pragma once

#include <random>

#include "graticule/core/error.h"
#include "graticule/train/build.h"
#include "graticule/train/layout.h"

namespace graticule {

struct Draw {
  Options options;
  ModelShape shape;
  Axes axes;
};

/// 7 heads, 5 blocks, 5 variables of 4 x 6 patches, 5 samples; `most_ranks` bounds the world.
inline Draw draw_layout(std::mt19937_64& random, const std::vector<Activations>& policies, int most_ranks) {
  const auto pick = [&](const auto& choices) { return choices[random() % std::size(choices)]; };
  const int degrees[] = {1, 1, 2, 3};
  const int64_t small[] = {1, 2, 3};
  for (;;) {
    Draw draw;
    Options& o = draw.options;
    o.data.path = "synthetic:rows=7,columns=12,variables=5,times=80,step_hours=6";
    o.data.train = {"2001-01-01", "2001-01-15"}, o.data.batch = 5;
    o.model.dim = 28, o.model.depth = 5, o.model.heads = 7, o.model.mlp_ratio = 1.8, o.model.head_layers = 1;
    o.model.qk_norm = random() % 2 == 0, o.model.kv_heads = random() % 3 == 0 ? 1 : 0;
    o.model.tokens = pick(std::vector{TokenMode::full, TokenMode::aggregated, TokenMode::channels});
    draw.axes = {pick(degrees), pick(degrees), pick(degrees), pick(degrees), pick(degrees)};
    ParallelOptions& p = o.parallel;
    fill_in(p, draw.axes);
    p.context_method = pick(std::vector{ContextMethod::lss, ContextMethod::ring});
    p.shard = pick(std::vector{Shard::none, Shard::optimizer, Shard::gradients, Shard::full});
    p.schedule = pick(std::vector{ScheduleKind::gpipe, ScheduleKind::one_f_one_b, ScheduleKind::interleaved,
                                  ScheduleKind::zero_bubble});
    p.chunks = p.schedule == ScheduleKind::interleaved ? 2 : 1;
    p.micro_batches = pick(small), p.head_groups = pick(small), p.gather_heads = pick(small) - 1;
    p.keep_exchanged = random() % 2 == 0;
    const int replicas = draw.axes.data * draw.axes.sequence();
    p.shard_ranks = replicas % 2 == 0 && random() % 2 == 0 ? replicas / 2 : 0;
    o.train.activations = pick(policies);
    o.train.precision = pick(std::vector{Precision::fp32, Precision::bf16});
    o.train.tile_tokens = pick(std::vector<int64_t>{4096, 3, 10});
    o.train.steps = 2, o.train.warmup = 1, o.train.threads = 1;
    draw.shape = shape_of(o.model, 5, 7, 12);
    if (draw.axes.world() < 2 || draw.axes.world() > most_ranks) continue;
    if (!trouble_with(draw.axes, o, draw.shape)) return draw;
  }
}

inline std::string described(const Draw& draw) { return described(draw.axes) + "\n" + to_toml(draw.options); }

}  // namespace graticule
