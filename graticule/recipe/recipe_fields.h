// Lists every key of a recipe once, with its kind (KeyKind) and the range of a number. The reader, the writer
// and the comparison of recipes (same_meaning.h) all call visit_fields.
#pragma once

#include "graticule/recipe/options.h"
#include "graticule/recipe/value_range.h"

namespace graticule {

/// What a key decides. It follows whether the key may differ between a checkpoint and the recipe that
/// continues from it (same_meaning.h).
enum class KeyKind {
  meaning,   ///< what the network is or what its numbers mean: must be equal
  course,    ///< how training continues: may change; each change is logged
  execution  ///< where and how fast it runs, what is written or scored: free to change
};

/// Calls visitor.section(name) for each section. For each of its keys, calls visitor.field(key, kind, value),
/// for a number visitor.field(key, kind, value, range), or for an enum visitor.choice(key, kind, value).
template <class Visitor>
void visit_fields(Visitor& visitor, Options& options) {
  using enum KeyKind;
  visitor.section("data");
  DataOptions& data = options.data;
  visitor.field("path", course, data.path);
  visitor.field("variables", meaning, data.variables);
  visitor.field("targets", meaning, data.targets);
  visitor.field("lead_hours", meaning, data.lead_hours, at_least(0));
  visitor.field("history", meaning, data.history, between(1, most_int));
  visitor.field("train", course, data.train);
  visitor.field("valid", execution, data.valid);
  visitor.field("test", execution, data.test);
  visitor.field("allow_overlap", execution, data.allow_overlap);
  visitor.field("batch", course, data.batch, at_least(1));
  visitor.choice("predict", meaning, data.predict);
  visitor.choice("missing", course, data.missing);
  visitor.choice("grid", meaning, data.images.grid);
  visitor.field("dimensions", course, data.images.dimensions);
  visitor.field("periodic", meaning, data.images.periodic);
  visitor.field("level", meaning, data.images.level, at_least(0));
  visitor.field("date_pattern", course, data.images.date_pattern);
  visitor.field("crop", meaning, data.crop, between(1, most_int));

  visitor.section("data.split");
  visitor.field("valid", course, data.split.valid, within(0, 1, "0: none"));
  visitor.field("test", course, data.split.test, within(0, 1, "0: none"));
  visitor.field("seed", course, data.split.seed, any_number());

  visitor.section("data.layout");
  ChannelLayout& layout = data.layout;
  visitor.field("names", course, layout.names);
  visitor.field("start", course, layout.start);
  visitor.field("step_hours", course, layout.step_hours, at_least(0, "0: the file has times"));
  visitor.field("latitudes", course, layout.latitudes, between(-90, 90));
  visitor.field("longitudes", course, layout.longitudes, between(-360, 360));
  visitor.field("member", course, layout.member, at_least(0));

  visitor.section("task");
  TaskOptions& task = options.task;
  visitor.choice("kind", meaning, task.kind);
  visitor.field("labels", course, task.labels);
  visitor.field("classes", meaning, task.classes, between(2, 10'000));
  visitor.field("factor", meaning, task.factor, between(2, 64));
  visitor.field("masked", course, task.masked, between(0, 1));
  visitor.choice("mask", course, task.mask);
  visitor.field("mask_block", course, task.mask_block, between(1, most_int));
  visitor.field("decoder_dim", meaning, task.decoder_dim, at_least(4));
  visitor.field("decoder_depth", meaning, task.decoder_depth, at_least(1));
  visitor.field("decoder_heads", meaning, task.decoder_heads, at_least(1));

  visitor.section("model");
  ModelOptions& model = options.model;
  visitor.field("preset", execution, model.preset);
  visitor.choice("tokens", meaning, model.tokens);
  visitor.field("patch", meaning, model.patch, between(1, most_int));
  visitor.field("dim", meaning, model.dim, at_least(4));
  visitor.field("depth", meaning, model.depth, at_least(1));
  visitor.field("heads", meaning, model.heads, at_least(1));
  visitor.field("kv_heads", meaning, model.kv_heads, at_least(0, "0: as many as heads"));
  visitor.field("head_layers", meaning, model.head_layers, at_least(0));
  visitor.field("mlp_ratio", meaning, model.mlp_ratio, above(0));
  visitor.field("drop_path", course, model.drop_path, within(0, 1));
  visitor.choice("place", meaning, model.place);
  visitor.choice("qk_norm", meaning, model.qk_norm);
  visitor.field("qk_variables", meaning, model.qk_variables);
  visitor.field("add_merged", meaning, model.add_merged);
  visitor.field("calendar", meaning, model.calendar);
  visitor.field("init_std", course, model.init_std, above(0));
  visitor.field("lead_std", course, model.lead_std, above(0));

  visitor.section("parallel");
  ParallelOptions& parallel = options.parallel;
  const ValueRange degree = between(0, most_int, "leave it out to have it derived");
  visitor.field("data", execution, parallel.data, degree);
  visitor.field("context", execution, parallel.context, degree);
  visitor.choice("context_method", execution, parallel.context_method);
  visitor.field("mesh_rows", execution, parallel.mesh_rows,
                between(0, most_int, "leave it out to have it chosen"));
  visitor.field("ulysses", execution, parallel.ulysses, degree);
  visitor.field("head_groups", execution, parallel.head_groups, at_least(1));
  visitor.field("gather_heads", execution, parallel.gather_heads, at_least(0, "0: all"));
  visitor.field("keep_exchanged", execution, parallel.keep_exchanged);
  visitor.field("tensor", execution, parallel.tensor, degree);
  visitor.field("pipeline", execution, parallel.pipeline, degree);
  visitor.choice("shard", execution, parallel.shard);
  visitor.field("shard_ranks", execution, parallel.shard_ranks, between(0, most_int, "0: all"));
  visitor.field("micro_batches", execution, parallel.micro_batches, between(1, most_int));
  visitor.choice("schedule", execution, parallel.schedule);
  visitor.field("chunks", execution, parallel.chunks, between(1, most_int));

  visitor.section("train");
  TrainOptions& train = options.train;
  visitor.field("steps", course, train.steps, at_least(1));
  visitor.field("rollout", course, train.rollout, between(1, most_int));
  visitor.field("lr", course, train.lr, above(0));
  visitor.field("min_lr", course, train.min_lr, at_least(0));
  visitor.field("warmup", course, train.warmup, at_least(0));
  visitor.field("weight_decay", course, train.weight_decay, at_least(0));
  visitor.field("beta1", course, train.beta1, within(0, 1));
  visitor.field("beta2", course, train.beta2, within(0, 1));
  visitor.field("epsilon", course, train.epsilon, at_least(1e-30));
  visitor.field("clip", course, train.clip, at_least(0, "0: no clipping"));
  visitor.field("loss_weights", course, train.loss_weights, at_least(0));
  visitor.field("patience", course, train.patience, at_least(0, "0: train all steps"));
  visitor.field("ema", course, train.ema, within(0, 1, "0: no average"));
  visitor.choice("on_bad", course, train.on_bad);
  visitor.field("verify_every", execution, train.verify_every, at_least(0, "0: never"));
  visitor.choice("precision", course, train.precision);
  visitor.choice("activations", execution, train.activations);
  visitor.field("offload_to", execution, train.offload_to);
  visitor.field("tile_tokens", execution, train.tile_tokens, at_least(1));
  visitor.choice("moments", course, train.moments);
  visitor.field("state_in", execution, train.state_in);
  visitor.field("memory_gib", execution, train.memory_gib, between(0, 1e6, "0: what there is"));
  visitor.field("seed", course, train.seed, any_number());
  visitor.choice("device", execution, train.device);
  visitor.field("threads", execution, train.threads,
                between(0, most_int, "0: the node's cores over its ranks"));

  visitor.section("run");
  RunOptions& run = options.run;
  visitor.field("out", execution, run.out);
  visitor.field("checkpoint_every", execution, run.checkpoint_every, at_least(0, "0: at the end alone"));
  visitor.field("eval_every", execution, run.eval_every, at_least(0, "0: never"));
  visitor.field("eval_samples", execution, run.eval_samples, at_least(1));
  visitor.field("log_every", execution, run.log_every, at_least(1));
  visitor.field("keep", execution, run.keep, at_least(1));
  visitor.field("watchdog_seconds", execution, run.watchdog_seconds, between(0, 1e9, "0: no watchdog"));
  visitor.choice("climatology", execution, run.climatology);
}

}  // namespace graticule
