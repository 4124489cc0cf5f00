// The recipe: every setting of a run, read once from TOML, checked once, and written back as resolved beside
// the run.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "graticule/core/choices.h"
#include "graticule/core/model_shape.h"

namespace graticule {

struct DataOptions {
  std::string path;                    ///< what open_source takes
  std::vector<std::string> variables;  ///< empty: all that the source holds
  std::vector<std::string> targets;    ///< empty: all variables that are not constant
  std::vector<int64_t> lead_hours = {24};
  std::vector<std::string> train, valid, test;  ///< [first, last] as text
  bool allow_overlap = false;                   ///< train may share times with valid or test
  int64_t batch = 1;                            ///< samples a step over all ranks
  Predict predict = Predict::difference;
  Missing missing = Missing::refuse;
};

struct ModelOptions {
  std::string preset;
  TokenMode tokens = TokenMode::full;
  int64_t patch = 2, dim = 64, depth = 2, heads = 4, kv_heads = 0, head_layers = 0;
  double mlp_ratio = 4, drop_path = 0;
  bool qk_norm = false;
};

struct ParallelOptions {
  int64_t data = 0, context = 0, ulysses = 0, tensor = 0,
          pipeline = 0;  ///< 0: derived from the number of ranks
  ContextMethod context_method = ContextMethod::lss;
  int64_t head_groups = 1;     ///< an exchange of one group of heads under the attention of another: of
                               ///< ulysses; with a lean policy of every scheme, projections too
  int64_t gather_heads = 0;    ///< lss: key heads gathered at a time; 0: all
  bool keep_exchanged = true;  ///< ulysses: heads stay for backward; false: exchanged again
  Shard shard = Shard::none;
  int64_t shard_ranks = 0;  ///< ranks over which weights are sharded, copies of them beside; 0: all
  int64_t micro_batches = 1;
  ScheduleKind schedule = ScheduleKind::one_f_one_b;
  int64_t chunks = 1;  ///< stretches of the model a pipeline rank holds (interleaved)
};

struct TrainOptions {
  int64_t steps = 100;
  double lr = 1e-3, min_lr = 0;
  int64_t warmup = 10;
  double weight_decay = 0.01, beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8;
  double clip = 1;  ///< of the global gradient norm; 0: none
  Precision precision = Precision::fp32;
  std::optional<Activations> activations = Activations::keep;  ///< nothing: the fastest that fits
  std::string offload_to;               ///< folder of the file for activations = offload; empty: host memory
  int64_t tile_tokens = 4096;           ///< tokens of a tile of point-wise work
  Precision moments = Precision::fp32;  ///< of AdamW
  std::string state_in;                 ///< folder of memory-mapped optimizer state; empty: memory
  double memory_gib = 0;  ///< what a rank may use of its device; 0: what there is over the node's ranks
  int64_t seed = 0;
  DeviceKind device = DeviceKind::cpu;
  int64_t threads = 0;  ///< of each rank; 0: the node's cores over its ranks
};

struct RunOptions {
  std::string out = "runs/run";
  int64_t checkpoint_every = 0;  ///< steps; 0: at the end alone
  int64_t eval_every = 0;        ///< steps between evaluations on valid; 0: none
  int64_t eval_samples = 16;     ///< initial times an evaluation in training uses
  int64_t log_every = 1;
  int64_t keep = 2;  ///< checkpoints kept
  ClimatologyKind climatology = ClimatologyKind::by_day_and_hour;
  double watchdog_seconds = 600;  ///< a wait for other ranks that lasts longer ends the job; 0: never
};

struct Options {
  DataOptions data;
  ModelOptions model;
  ParallelOptions parallel;
  TrainOptions train;
  RunOptions run;
  std::set<std::string> named;  ///< sections, and "section.key", that the file or an override gives
};

/// Reads a recipe. `overrides` are "section.key=value" texts that win over the file. Refuses an unknown
/// section or key (naming the nearest), a wrong type, a value out of its range. `where` names the file in
/// messages.
Options parse_recipe(const std::string& toml, const std::string& where,
                     const std::vector<std::string>& overrides = {});
Options read_recipe(const std::string& path, const std::vector<std::string>& overrides = {});

/// The recipe as TOML, every key present: what `recipe.toml` of a run folder holds.
std::string to_toml(const Options& options);

}  // namespace graticule
