// Every key of a recipe, once, with what a change of it means for a trained model: reader, writer and
// comparison all walk these functions.
#pragma once

#include "graticule/recipe/options.h"

namespace graticule {

/// What a key decides, and so whether it may differ between a checkpoint and the recipe that takes it up
/// (same_meaning.h).
enum class KeyKind {
  meaning,   ///< what the network is or what its numbers mean: must agree
  course,    ///< how training goes on: may change, and every change is told
  execution  ///< where, how fast, and what is written or scored beside it: free
};

/// Calls visitor.section(name), then visitor.field(key, kind, value) or visitor.choice(key, kind,
/// value) for each of its keys.
template <class Visitor>
void visit_fields(Visitor& visitor, Options& options) {
  using enum KeyKind;
  visitor.section("data");
  DataOptions& data = options.data;
  visitor.field("path", course, data.path);
  visitor.field("variables", meaning, data.variables);
  visitor.field("targets", meaning, data.targets);
  visitor.field("lead_hours", meaning, data.lead_hours);
  visitor.field("train", course, data.train);
  visitor.field("valid", execution, data.valid);
  visitor.field("test", execution, data.test);
  visitor.field("allow_overlap", execution, data.allow_overlap);
  visitor.field("batch", course, data.batch);
  visitor.choice("predict", meaning, data.predict);
  visitor.choice("missing", course, data.missing);

  visitor.section("model");
  ModelOptions& model = options.model;
  visitor.field("preset", execution, model.preset);
  visitor.choice("tokens", meaning, model.tokens);
  visitor.field("patch", meaning, model.patch);
  visitor.field("dim", meaning, model.dim);
  visitor.field("depth", meaning, model.depth);
  visitor.field("heads", meaning, model.heads);
  visitor.field("kv_heads", meaning, model.kv_heads);
  visitor.field("head_layers", meaning, model.head_layers);
  visitor.field("mlp_ratio", meaning, model.mlp_ratio);
  visitor.field("drop_path", course, model.drop_path);
  visitor.field("qk_norm", meaning, model.qk_norm);

  visitor.section("parallel");
  ParallelOptions& parallel = options.parallel;
  visitor.field("data", execution, parallel.data);
  visitor.field("context", execution, parallel.context);
  visitor.choice("context_method", execution, parallel.context_method);
  visitor.field("ulysses", execution, parallel.ulysses);
  visitor.field("head_groups", execution, parallel.head_groups);
  visitor.field("gather_heads", execution, parallel.gather_heads);
  visitor.field("keep_exchanged", execution, parallel.keep_exchanged);
  visitor.field("tensor", execution, parallel.tensor);
  visitor.field("pipeline", execution, parallel.pipeline);
  visitor.choice("shard", execution, parallel.shard);
  visitor.field("shard_ranks", execution, parallel.shard_ranks);
  visitor.field("micro_batches", execution, parallel.micro_batches);
  visitor.choice("schedule", execution, parallel.schedule);
  visitor.field("chunks", execution, parallel.chunks);

  visitor.section("train");
  TrainOptions& train = options.train;
  visitor.field("steps", course, train.steps);
  visitor.field("lr", course, train.lr);
  visitor.field("min_lr", course, train.min_lr);
  visitor.field("warmup", course, train.warmup);
  visitor.field("weight_decay", course, train.weight_decay);
  visitor.field("beta1", course, train.beta1);
  visitor.field("beta2", course, train.beta2);
  visitor.field("epsilon", course, train.epsilon);
  visitor.field("clip", course, train.clip);
  visitor.choice("precision", course, train.precision);
  visitor.choice("activations", execution, train.activations);
  visitor.field("offload_to", execution, train.offload_to);
  visitor.field("tile_tokens", execution, train.tile_tokens);
  visitor.choice("moments", course, train.moments);
  visitor.field("state_in", execution, train.state_in);
  visitor.field("memory_gib", execution, train.memory_gib);
  visitor.field("seed", course, train.seed);
  visitor.choice("device", execution, train.device);
  visitor.field("threads", execution, train.threads);

  visitor.section("run");
  RunOptions& run = options.run;
  visitor.field("out", execution, run.out);
  visitor.field("checkpoint_every", execution, run.checkpoint_every);
  visitor.field("eval_every", execution, run.eval_every);
  visitor.field("eval_samples", execution, run.eval_samples);
  visitor.field("log_every", execution, run.log_every);
  visitor.field("keep", execution, run.keep);
  visitor.field("watchdog_seconds", execution, run.watchdog_seconds);
  visitor.choice("climatology", execution, run.climatology);
}

}  // namespace graticule
