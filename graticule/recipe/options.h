// The recipe: every setting of a run. It is read from TOML once, checked once, and written back, with all
// derived values, into the run folder. recipe_fields.h lists the keys; docs/recipe.md describes them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "graticule/core/channel_layout.h"
#include "graticule/core/choices.h"
#include "graticule/core/exchange_options.h"
#include "graticule/core/image_layout.h"
#include "graticule/core/model_shape.h"

namespace graticule {

/// Fractions of samples without dates, where train, valid and test name none.
struct SplitOptions {
  double valid = 0, test = 0;
  int64_t seed = 0;
};

struct DataOptions {
  std::string path;                    ///< argument of open_source (data/source.h)
  std::vector<std::string> variables;  ///< empty: all variables of the data
  std::vector<std::string> targets;    ///< empty: all variables that are not constant
  std::vector<int64_t> lead_hours = {24};
  int64_t history = 1;                          ///< states that the model reads: at t, t - lead, ...
  std::vector<std::string> train, valid, test;  ///< [first, last] as text; of samples without dates a list
  bool allow_overlap = false;                   ///< the times of train may overlap those of valid or test
  int64_t batch = 1;                            ///< samples a step over all ranks
  Predict predict = Predict::difference;
  Missing missing = Missing::refuse;
  ChannelLayout layout;  ///< of a file with one array for all variables
  ImageLayout images;    ///< kind of grid, and what the dimensions of images are
  /// Pixels along the axes of a plane or volume of which samples are cut; empty: whole images.
  std::vector<int64_t> crop;
  SplitOptions split;
};

/// The form of queries and keys of a new recipe is the one that learned best (docs/model.md).
struct ModelOptions : TransformerShape {
  ModelOptions() {
    place = PlaceForm::aimed, qk_norm = QkNorm::cosine, qk_variables = true;
    lead_std = 1;
  }
  std::string preset;
  TokenMode tokens = TokenMode::full;
  Patch patch = 2;
};

struct ParallelOptions : ExchangeOptions {
  /// Degrees of the mesh's axes; 0: derived from the number of ranks (recipe/layout.h).
  int64_t data = 0, context = 0, ulysses = 0, tensor = 0, pipeline = 0;
  Shard shard = Shard::none;
  /// Ranks of a group over which state is sharded; the other groups have copies. 0: all replicas form one
  /// group.
  int64_t shard_ranks = 0;
  int64_t micro_batches = 1;
  ScheduleKind schedule = ScheduleKind::one_f_one_b;
  int64_t chunks = 1;  ///< parts of the model on each pipeline rank (interleaved)
};

/// How much each target counts in the loss (loss_weights.h): by a rule, or by a table of names.
struct LossWeights {
  LossRule rule = LossRule::none;
  std::map<std::string, double> by_name = {};  ///< empty unless the recipe has a table

  bool any() const { return rule != LossRule::none || !by_name.empty(); }
};

struct TrainOptions {
  int64_t steps = 100;
  int64_t rollout = 1;  ///< steps of the forecast that the loss judges
  double lr = 1e-3, min_lr = 0;
  int64_t warmup = 10;
  double weight_decay = 0.01, beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8;
  double clip = 1;  ///< largest norm of the whole gradient; 0: no clipping
  LossWeights loss_weights;
  int64_t patience = 0;  ///< evaluations without a better score that end the run; 0: none do
  double ema = 0;        ///< decay of the exponential average of the weights; 0: no average
  OnBad on_bad = OnBad::stop;
  int64_t verify_every = 0;  ///< steps between comparisons of a block on two ranks; 0: none
  Precision precision = Precision::fp32;
  std::optional<Activations> activations = Activations::keep;  ///< absent ("auto"): the fastest that fits
  std::string offload_to;               ///< folder for activations = offload; empty: host memory
  int64_t tile_tokens = 4096;           ///< tokens that point-wise work takes at a time
  Precision moments = Precision::fp32;  ///< type of AdamW's moments
  std::string state_in;  ///< folder for memory-mapped optimizer state (CPU only); empty: memory
  /// GiB that a rank may use of its device. 0: on a CPU the free memory divided by the node's ranks, on a GPU
  /// no limit.
  double memory_gib = 0;
  int64_t seed = 0;
  DeviceKind device = DeviceKind::cpu;
  int64_t threads = 0;  ///< of each rank; 0: the node's cores divided by its ranks
};

/// What the run learns, and the keys of each task (train/task.h).
struct TaskOptions {
  TaskKind kind = TaskKind::forecast;
  std::string labels;    ///< of segment: the variable with classes; of classify and regress: a table (CSV)
  int64_t classes = 2;   ///< of segment and classify
  int64_t factor = 2;    ///< of downscale: pixels of the target along a side of a pixel of the input
  double masked = 0.75;  ///< of reconstruct: the part of the tokens that is masked
  MaskKind mask = MaskKind::random;
  int64_t mask_block = 4;  ///< patches along a side of a box (mask = block)
  int64_t decoder_dim = 64, decoder_depth = 1, decoder_heads = 4;
};

struct RunOptions {
  std::string out = "runs/run";
  int64_t checkpoint_every = 0;  ///< steps; 0: only at the end
  int64_t eval_every = 0;        ///< steps between evaluations on valid; 0: none
  int64_t eval_samples = 16;     ///< initial times of an evaluation during training
  int64_t log_every = 1;
  int64_t keep = 2;  ///< newest checkpoints to keep
  ClimatologyKind climatology = ClimatologyKind::by_day_and_hour;
  double watchdog_seconds = 600;  ///< the longest wait for other ranks before the job ends; 0: no limit
};

struct Options {
  DataOptions data;
  TaskOptions task;
  ModelOptions model;
  ParallelOptions parallel;
  TrainOptions train;
  RunOptions run;
  std::set<std::string> named;  ///< sections and "section.key" that the file or an override names
};

/// Reads a recipe from TOML text (parse_recipe) or a file (read_recipe). `overrides` are texts
/// "section.key=value" that replace values of the file. `where` names the file in messages. Refuses an
/// unknown section or key (and names the nearest), a wrong type, a value out of its range, and values that
/// contradict each other.
Options parse_recipe(const std::string& toml, const std::string& where,
                     const std::vector<std::string>& overrides = {});
Options read_recipe(const std::string& path, const std::vector<std::string>& overrides = {});

/// The recipe as TOML with every key, as RUN/recipe.toml contains it.
std::string to_toml(const Options& options);

}  // namespace graticule
