// Gives one rank its samples: reads only the pixels that this rank's tokens need, cuts them into patches and
// normalises them. A background thread reads a few steps ahead. train/build.h makes a loader for each run;
// evaluation and forecasts use the functions below without a thread.
//
// Where the model's grid (LoaderOptions::grid) is smaller than that of the data, a sample is a *crop*: as many
// neighbouring pixels as the model's grid has. Training draws its place by (seed, sample id); in any other case it
// is the middle of the field, or each of the tiles that cover the field (LoaderOptions::tiles).
//
// Legend: B this rank's samples of a step, T this rank's tokens, S all tokens, K variables a token carries, P
// pixels of a patch (row-major), t this rank's tokens of one variable, Y rows of all layers and X columns of the
// grid.
// I = N P, the values of the N states that the model reads (grid.states).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "graticule/core/choices.h"
#include "graticule/core/span.h"
#include "graticule/core/token_grid.h"
#include "graticule/data/source.h"
#include "graticule/data/statistics.h"
#include "graticule/data/token_mask.h"

namespace graticule {

struct LoaderOptions {
  std::vector<std::string> variables;  ///< V inputs, in order
  std::vector<std::string> targets;    ///< a subset of variables: those that the loss counts
  std::vector<double> target_weights;  ///< of each target in the loss; empty: 1
  std::vector<int> lead_hours;         ///< a sample's lead is drawn from these
  TimeRange range;                     ///< contains every time of a sample
  int64_t steps = 1;                   ///< leads that a sample reaches ahead: the steps of a roll-out
  int64_t batch = 1;                   ///< samples a step over all data ranks
  /// This rank's samples of a step: span_of(batch, data degree, data coordinate).
  Span samples = {0, 1};
  TokenGrid grid;  ///< the model's numbering of tokens
  Span tokens;     ///< of this rank
  /// The variable whose whole numbers are the target, in place of those of `targets`; "": none. It is no input.
  std::string labels = {};
  int64_t classes = 0;  ///< labels are 0 to classes - 1; others are refused
  /// One target for each time of the catalogue, in place of fields; empty: none.
  std::vector<float> target_of_time = {};
  TokenMask mask;  ///< the tokens that are hidden from the model
  Predict predict = Predict::difference;
  Missing missing = Missing::refuse;
  uint64_t seed = 0;
  /// true: a new seeded order in each epoch, the same on every rank and layout. false: once, in order of
  /// time; then the last step may have fewer samples or none on this rank, and `next` refuses after it.
  bool shuffle = true;
  /// Without `shuffle`: a sample for each tile of a field (tiles.h), in the order of time, then of place. The weight is
  /// 0 on the pixels that count in another tile.
  bool tiles = false;
  /// Steps to read ahead at most, 1 or more. Steps that take much memory are read ahead less (steps_ahead).
  int prefetch = 2;
};

/// The sizes of the target of one sample on this rank: T K P; T 1 P of labels; 1 1 1 of one number a sample.
std::vector<int64_t> target_sizes(const LoaderOptions& options);

/// A step after the first of a roll-out, which begins at the forecast of the step before.
struct LaterStep {
  std::vector<int64_t> times;  ///< when the step begins, by sample, seconds since 1970
  /// fp32: the input of the variables that are no targets, at the time when the step begins; 0 for targets.
  at::Tensor given_BTKP;
  /// fp32: the state at the time when the step ends, in the unit of the model's output: (x - mean) /
  /// difference_deviation or (x - mean) / deviation.
  at::Tensor target_BTKP;
  /// As Batch::weight_BTKP; also 0 where the target is missing at the initial time.
  at::Tensor weight_BTKP;
};

struct Batch {
  /// fp32, (x - mean) / deviation: the state at the initial time t, then, for targets alone, the states at t
  /// - lead, t - 2 lead, ...; 0 there for other variables, which the model reads once.
  at::Tensor input_BTKI;
  /// fp32. Predict::difference: (x(t + lead) - x(t)) / difference_deviation; Predict::state: (x(t + lead) -
  /// mean) / deviation.
  at::Tensor target_BTKP;
  /// fp32: the weight of the pixel's area (mean 1 over the grid) times the target's weight; 0 for variables that are no
  /// target, off the grid, and where a value or label is missing. All samples of all batches share this memory unless
  /// a value is missing, so do not write to it.
  at::Tensor weight_BTKP;
  at::Tensor lead_hours_B;  ///< fp32
  std::vector<int64_t>
      times;  ///< initial times as the model reads them (in_gregorian_season): seconds since 1970
  std::vector<int64_t> sample_ids;  ///< position in the run's sequence of samples; seeds drop path
  /// fp32, only with later steps: the unit of the model's output over the deviation, for targets where they
  /// have a value at the initial time; 0 elsewhere.
  at::Tensor unit_BTKP = {};
  std::vector<LaterStep> later = {};  ///< options.steps - 1 of them
  /// With a mask: the tokens of the whole sequence that the model reads, the same for all samples of a step. The weight
  /// is 0 on them.
  std::shared_ptr<const std::vector<int64_t>> visible = nullptr;
};

/// Weights of the rows by WeatherBench 2's rule: sin(upper edge) - sin(lower edge) of each row's cell,
/// divided by their mean. Edges are half-way between rows. The outermost edges are the poles, or half a row
/// outwards where a regional grid ends. Latitudes in degrees, ascending or descending.
std::vector<double> latitude_weights(const std::vector<double>& latitudes);
/// The weight of each row of the model's grid: latitude_weights on a sphere, the areas of cells over their mean, the
/// areas of rows where a plane is a sphere (but not of crops), else 1.
std::vector<double> area_weights(const Catalog& catalog, const TokenGrid& grid);

/// How many fields of the size T K P a sample has, besides its weights: its input has as many as the model
/// reads states, then come the target and, with later steps, the unit and two of each of them.
int64_t fields_of_sample(int64_t states, int64_t steps);

/// How many steps a loader reads ahead: as many as fit into 64 MiB (without weights), at least 1 and at most
/// `prefetch`.
int64_t steps_ahead(const LoaderOptions& options);

/// After the first `next`, a background thread reads `source`. Nobody else may read it until the loader is
/// destroyed or `seek` was called. The thread has the observers of the thread that called `next`, such as a
/// memory watch.
class Loader {
 public:
  /// An initial time is a sample when its earlier states and later steps are present and in the range for
  /// every lead; the lead is drawn by (seed, sample id). Refuses an unknown variable, a target that is not
  /// among the inputs, a range without samples, and missing statistics.
  Loader(std::shared_ptr<Source> source, const Statistics& statistics, LoaderOptions options);
  ~Loader();
  Loader(Loader&&) noexcept;
  Loader& operator=(Loader&&) noexcept;

  /// The next step's samples of this rank. Throws the errors of the background thread. Refuses to go beyond
  /// the last sample when options.shuffle is false.
  Batch next();
  /// Samples (initial times, of each its tiles) in one pass over the range.
  int64_t samples_an_epoch() const;
  /// Samples handed out so far, over all ranks. `seek` continues from such a position, so a run resumes
  /// exactly.
  int64_t position() const;
  void seek(int64_t position);
  /// Seconds that next() waited for data since the last call of this function.
  double take_waited_seconds();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The normalised input (T K I), read without a thread, for evaluation and forecasts. `states`: the time
/// indices of t, t - lead, ..., as many as the model reads. It is NaN where a value is missing (refused
/// unless options.missing allows it) and off the grid; callers replace NaN by 0 for the model.
at::Tensor read_tokens(Source& source, const Statistics& statistics, const LoaderOptions& options,
                       const std::vector<int64_t>& states);

/// One variable on this rank's tokens at one time (t P), in physical units: NaN where missing (refused unless
/// options.missing allows it), 0 off the grid. Always refuses an infinite value. With `statistics` the values
/// are normalised, 0 where missing. Empty when none of the tokens carries the variable.
at::Tensor read_patches(Source& source, const LoaderOptions& options, int64_t variable, int64_t time_index,
                        const VariableStatistics* statistics = nullptr);

/// The part of x_TKP that belongs to a variable, as a view (t P); empty when the tokens carry none of it.
at::Tensor of_variable(const at::Tensor& x_TKP, const TokenGrid& grid, const Span& tokens, int64_t variable);

/// Cuts one field into patches (t P) of the tokens `places`. `field_YX` contains the rows [rows.begin,
/// rows.end) of the grid.
at::Tensor to_patches(const at::Tensor& field_YX, Span rows, const TokenGrid& grid, Span places);
/// The inverse for a whole field: the patches of all places (S P) to a field (Y X).
at::Tensor from_patches(const at::Tensor& patches_SP, const TokenGrid& grid);

}  // namespace graticule
