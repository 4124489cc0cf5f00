// Every key of a recipe, once: reader, writer and key lists all walk these functions.
#pragma once

#include "graticule/train/options.h"

namespace graticule {

/// A name of an enum value in recipes.
template <class Enum>
struct Choice {
  const char* name;
  Enum value;
};

/// Calls visitor.section(name), then visitor.field(key, value) or visitor.choice(key, value, choices) for
/// each of its keys.
template <class Visitor>
void visit_fields(Visitor& visitor, Options& options) {
  visitor.section("data");
  DataOptions& data = options.data;
  visitor.field("path", data.path);
  visitor.field("variables", data.variables);
  visitor.field("targets", data.targets);
  visitor.field("lead_hours", data.lead_hours);
  visitor.field("train", data.train);
  visitor.field("valid", data.valid);
  visitor.field("test", data.test);
  visitor.field("allow_overlap", data.allow_overlap);
  visitor.field("batch", data.batch);
  visitor.choice(
      "predict", data.predict,
      std::vector<Choice<Predict>>{{"difference", Predict::difference}, {"state", Predict::state}});
  visitor.choice("missing", data.missing,
                 std::vector<Choice<Missing>>{{"refuse", Missing::refuse}, {"mean", Missing::mean}});

  visitor.section("model");
  ModelOptions& model = options.model;
  visitor.field("preset", model.preset);
  visitor.choice("tokens", model.tokens,
                 std::vector<Choice<TokenMode>>{{"full", TokenMode::full},
                                                {"aggregated", TokenMode::aggregated},
                                                {"channels", TokenMode::channels}});
  visitor.field("patch", model.patch);
  visitor.field("dim", model.dim);
  visitor.field("depth", model.depth);
  visitor.field("heads", model.heads);
  visitor.field("kv_heads", model.kv_heads);
  visitor.field("head_layers", model.head_layers);
  visitor.field("mlp_ratio", model.mlp_ratio);
  visitor.field("drop_path", model.drop_path);
  visitor.field("qk_norm", model.qk_norm);

  visitor.section("parallel");
  ParallelOptions& parallel = options.parallel;
  visitor.field("data", parallel.data);
  visitor.field("context", parallel.context);
  visitor.choice(
      "context_method", parallel.context_method,
      std::vector<Choice<ContextMethod>>{{"lss", ContextMethod::lss}, {"ring", ContextMethod::ring}});
  visitor.field("ulysses", parallel.ulysses);
  visitor.field("head_groups", parallel.head_groups);
  visitor.field("gather_heads", parallel.gather_heads);
  visitor.field("keep_exchanged", parallel.keep_exchanged);
  visitor.field("tensor", parallel.tensor);
  visitor.field("pipeline", parallel.pipeline);
  visitor.choice("shard", parallel.shard,
                 std::vector<Choice<Shard>>{{"none", Shard::none},
                                            {"optimizer", Shard::optimizer},
                                            {"gradients", Shard::gradients},
                                            {"full", Shard::full}});
  visitor.field("shard_ranks", parallel.shard_ranks);
  visitor.field("micro_batches", parallel.micro_batches);
  visitor.choice("schedule", parallel.schedule,
                 std::vector<Choice<ScheduleKind>>{{"gpipe", ScheduleKind::gpipe},
                                                   {"1f1b", ScheduleKind::one_f_one_b},
                                                   {"interleaved", ScheduleKind::interleaved},
                                                   {"zero_bubble", ScheduleKind::zero_bubble}});
  visitor.field("chunks", parallel.chunks);

  visitor.section("train");
  TrainOptions& train = options.train;
  visitor.field("steps", train.steps);
  visitor.field("lr", train.lr);
  visitor.field("min_lr", train.min_lr);
  visitor.field("warmup", train.warmup);
  visitor.field("weight_decay", train.weight_decay);
  visitor.field("beta1", train.beta1);
  visitor.field("beta2", train.beta2);
  visitor.field("epsilon", train.epsilon);
  visitor.field("clip", train.clip);
  visitor.choice("precision", train.precision,
                 std::vector<Choice<Precision>>{{"fp32", Precision::fp32}, {"bf16", Precision::bf16}});
  visitor.choice("activations", train.activations,
                 std::vector<Choice<std::optional<Activations>>>{
                     {"keep", Activations::keep},
                     {"recompute_but_attention", Activations::recompute_but_attention},
                     {"recompute", Activations::recompute},
                     {"offload", Activations::offload},
                     {"auto", std::nullopt}});
  visitor.field("offload_to", train.offload_to);
  visitor.field("tile_tokens", train.tile_tokens);
  visitor.choice("moments", train.moments,
                 std::vector<Choice<at::ScalarType>>{{"fp32", at::kFloat}, {"bf16", at::kBFloat16}});
  visitor.field("state_in", train.state_in);
  visitor.field("memory_gib", train.memory_gib);
  visitor.field("seed", train.seed);
  visitor.field("device", train.device);
  visitor.field("threads", train.threads);

  visitor.section("run");
  RunOptions& run = options.run;
  visitor.field("out", run.out);
  visitor.field("checkpoint_every", run.checkpoint_every);
  visitor.field("eval_every", run.eval_every);
  visitor.field("eval_samples", run.eval_samples);
  visitor.field("log_every", run.log_every);
  visitor.field("keep", run.keep);
  visitor.field("watchdog_seconds", run.watchdog_seconds);
  visitor.choice("climatology", run.climatology,
                 std::vector<Choice<ClimatologyKind>>{{"day_and_hour", ClimatologyKind::by_day_and_hour},
                                                      {"mean", ClimatologyKind::time_mean}});
}

}  // namespace graticule
