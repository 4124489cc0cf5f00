// What a run learns: the task that the recipe names ([task] kind). A task says what goes in, what should come out, how
// both are judged, and what `eval` and `predict` write. Beside it only the recipe's rules (recipe/task_rules.h) and the
// export know which task runs. Each task is one file: task_forecast.cpp, task_segment.cpp, ...
//
// Legend: B samples, T this rank's tokens, K outputs of a token, P values of an output.
#pragma once

#include <string>
#include <vector>

#include "graticule/comm/launch.h"
#include "graticule/train/run.h"

namespace graticule {

class RunLog;

/// One number of an evaluation.
struct TaskScore {
  std::string of;        ///< what is scored: a variable, "class 2", "mean of classes"
  std::string measure;   ///< "dice", "rmse", ...
  std::string forecast;  ///< who: "model", or what the model is compared with
  double value = 0;      ///< NaN: not defined, such as the score of a class that does not occur
  std::string units = {};
};

/// What evaluation and prediction go over.
struct TaskSamples {
  TimeRange range;
  int64_t most = 0;  ///< the first so many samples; 0: all
  /// Whole fields, by tiles as large as the model's grid (data/tiles.h), in place of their middle. Not of tasks that
  /// say something about a whole sample.
  bool tiles = false;
};

class Task {
 public:
  virtual ~Task() = default;

  /// Whether the outputs are later states, which a roll-out feeds back (`graticule forecast`).
  virtual bool looks_ahead() const { return false; }
  /// Whether the outputs are of places, so that parts of a field can be judged one by one.
  virtual bool tells_places() const { return true; }
  /// Whether the outputs belong to a place, so that a token must carry all variables of its place.
  virtual bool needs_whole_places() const { return false; }
  /// Fills in variables and targets. Refuses data and settings that the task cannot use. Local.
  virtual void choose(Options& options, const Catalog& catalog) const = 0;
  /// The grid of the model's input, from that of the data or their crops.
  virtual TokenGrid input_grid(const Options&, const TokenGrid& of_data) const { return of_data; }
  /// Sets what the head gives for a token, and the decoder. Refuses shapes that the task cannot use.
  virtual void set_outputs(const Options&, ModelShape&) const {}
  /// Sets what the loader reads besides the input's variables.
  virtual void set_reading(const Options&, const ModelShape&, LoaderOptions&) const {}
  /// Adds the statistics of what the task learns besides variables. For training, before add_labels.
  virtual void add_statistics(const Options&, const Catalog&, Statistics&) const {}
  /// Adds to the loader what is known of the samples of its range besides their fields.
  virtual void add_labels(const Options&, const Catalog&, const Statistics&, LoaderOptions&) const {}

  /// Forward and backward of a step's micro-batches; call chain.finish_reduce() afterwards. Returns the sum of the
  /// weighted losses of this rank: a scalar on the device, 0 on all stages but the last. Collective, as Chain::train.
  virtual at::Tensor train(Chain& chain, const std::vector<Batch>& parts, const Options& options,
                           const Mesh& mesh) const = 0;
  /// The weight by which a batch's loss is divided, summed over ranks: this rank's part, an fp64 scalar.
  virtual at::Tensor weight(const Batch& batch) const = 0;

  /// Scores some samples of data.valid during training; `log` (rank 0) records the scores. Returns one number that
  /// is the smaller the better. Collective over the world.
  virtual double validate(Run& run, const World& world, RunLog* log) const = 0;
  /// Scores of samples for `graticule eval`, the same on every rank. Only of tasks that do not look ahead, as
  /// write_predictions. Collective over the world.
  virtual std::vector<TaskScore> scores(Run& run, const World& world, const TaskSamples& samples) const;
  /// What `graticule predict` calls its file in the run folder.
  virtual std::string predictions_name() const { return "predictions.zarr"; }
  /// Writes predictions for `graticule predict` to `path`, which must not exist. Collective over the world.
  virtual void write_predictions(Run& run, const World& world, const TaskSamples& samples,
                                 const std::string& path) const;
};

/// The task of a recipe.
const Task& task_of(const Options& options);

const Task& forecast_task();
const Task& reconstruct_task();
const Task& segment_task();
const Task& downscale_task();
const Task& classify_task();
const Task& regress_task();

}  // namespace graticule
