// Samples for one rank: reads only the pixels that this rank's tokens need, cuts them into patches,
// normalises, and stays ahead of the step in a background thread.
//
// Legend: B this rank's samples of a step, T this rank's tokens, K variables a token carries, P = patch *
// patch pixels (row-major).
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

namespace graticule {

struct LoaderOptions {
  std::vector<std::string> variables;  ///< V inputs, in order
  std::vector<std::string> targets;    ///< a subset of variables: what the loss counts
  std::vector<int> lead_hours;         ///< a sample's lead is drawn from these
  TimeRange range;                     ///< both the initial time and initial time + lead lie inside
  int64_t batch = 1;                   ///< samples a step over all data ranks
  Span samples = {
      0, 1};  ///< which of a step's samples this rank holds: span_of(batch, data degree, data coordinate)
  TokenGrid grid;
  Span tokens;  ///< which tokens this rank holds
  Predict predict = Predict::difference;
  Missing missing = Missing::refuse;
  uint64_t seed = 0;
  /// A new seeded order each epoch, the same on every rank and layout. false: in time order, once; the last
  /// step may be short or empty on this rank, and `next` refuses after it.
  bool shuffle = true;
  int prefetch = 2;  ///< steps read ahead at most, 1 or more; fewer, but one, where they take above 64 MiB
};

struct Batch {
  at::Tensor input_BTKP;    ///< fp32, (x - mean) / deviation
  at::Tensor target_BTKP;   ///< fp32, difference: (x(t + lead) - x(t)) / difference_deviation; state: (x(t +
                            ///< lead) - mean) / deviation
  at::Tensor weight_BTKP;   ///< fp32: the latitude weight w_y (mean 1 over the grid); 0 where no target, off
                            ///< the grid or missing. The same memory for all samples of all batches, unless
                            ///< a value is missing: not to be written to
  at::Tensor lead_hours_B;  ///< fp32
  std::vector<int64_t> times;       ///< initial times, seconds since 1970
  std::vector<int64_t> sample_ids;  ///< position in the run's global sequence of samples: seeds drop path
};

/// Row weights by WeatherBench 2's rule: sin(upper edge) - sin(lower edge) of each row's cell, divided by
/// their mean; edges half-way between rows; the outermost edges are the poles, as there, or half a row
/// outwards where a regional grid ends. Latitudes ascending, degrees.
std::vector<double> latitude_weights(const std::vector<double>& latitudes);

/// Steps that a loader reads ahead: `prefetch` of them, large ones (64 MiB) one at a time.
int64_t steps_ahead(const LoaderOptions& options);

/// From the first `next` on a background thread reads `source`: nobody else may until the loader is gone or
/// was sought (`seek`). The thread has the observers of the thread that called `next`, such as a memory
/// watch.
class Loader {
 public:
  /// An initial time is a sample when time + lead is present and in the range for every lead; the lead is
  /// drawn by (seed, sample id). Refuses: a variable that is not there, a target that is no input, a range
  /// with no sample, missing statistics.
  Loader(std::shared_ptr<Source> source, const Statistics& statistics, LoaderOptions options);
  ~Loader();
  Loader(Loader&&) noexcept;
  Loader& operator=(Loader&&) noexcept;

  /// The next step's samples of this rank. An error of the background thread is thrown here.
  Batch next();
  /// Samples (initial times) of one pass over the range.
  int64_t samples_an_epoch() const;
  /// Global samples handed out so far; `seek` goes there (exact resume).
  int64_t position() const;
  void seek(int64_t position);
  /// Seconds that next() spent waiting for data since the last call of this function.
  double take_waited_seconds();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// One sample without a thread, for evaluation and forecasts: the normalised state at `time_index` (T K P),
/// NaN where there is no value: missing (refused unless options.missing allows it), or off the grid. The
/// model reads 0 in both.
at::Tensor read_tokens(Source& source, const Statistics& statistics, const LoaderOptions& options,
                       int64_t time_index);

/// One variable on this rank's tokens at one time (t P), in physical units; NaN where missing, which is
/// refused unless options.missing allows it, and an infinite value always; 0 off the grid. With `statistics`
/// normalised, 0 where missing. Empty when none of the tokens carries the variable.
at::Tensor read_patches(Source& source, const LoaderOptions& options, int64_t variable, int64_t time_index,
                        const VariableStatistics* statistics = nullptr);

/// The part of x_TKP that belongs to a variable, a view (t P); empty when the tokens carry none of it.
at::Tensor of_variable(const at::Tensor& x_TKP, const TokenGrid& grid, const Span& tokens, int64_t variable);

/// Patches of one field. rows_YX holds rows [rows.begin, rows.end) of the grid; the result has the tokens
/// `places` (T P).
at::Tensor to_patches(const at::Tensor& field_YX, Span rows, const TokenGrid& grid, Span places);
/// The inverse over a whole field: patches of all places (S P) to a field (Y X).
at::Tensor from_patches(const at::Tensor& patches_SP, const TokenGrid& grid);

}  // namespace graticule
