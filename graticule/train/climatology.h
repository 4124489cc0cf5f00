// The climatology: the mean value for a day of the year and an hour of the day. It is a forecast without
// skill, and anomalies are differences from it. evaluate.h uses it.
//
// Definition of WeatherBench 2 (arXiv 2308.15560), for day D (1 to 366) and hour h, over the training times t
// that have this hour:
//
//   c(D, h) = sum_t w(D - day(t)) x(t) / sum_t w(D - day(t)),   w(d) = max(0, 1 - |d| / 30),
//
// with d taken around the longest year of the calendar, mostly 366 days. This is a triangular window of 61 days
// (59 of weight above 0). A year without a day 366 repeats its day 365 there. NaN are left out.
//
// Legend: T this rank's tokens, K variables a token carries, P pixels of a patch.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "graticule/core/choices.h"
#include "graticule/data/loader.h"

namespace graticule {

/// The climatology of this rank's tokens at the times that are asked for. It reads only the target variables
/// and the rows of these tokens. A pair (day, hour) takes T K P doubles; fp32 would round a pressure of 1e5
/// Pa by 1e-5 of its anomalies. One pass over the training times computes as many pairs as fit into `bytes`
/// (at least one). When `at` needs another pair, it makes another pass.
class Climatology {
 public:
  static constexpr int64_t default_bytes = int64_t{256} << 20;

  /// `options`: its variables, targets, grid and tokens are used; range, leads, batch and samples are not.
  /// `training`: the times to average. `valid_times`: seconds since 1970, the same on every rank; this rank
  /// asks for those with indices in `asked`, best in their order. Falls back to the time mean, on every rank
  /// alike, when the training times span less than a year (364 days in the Gregorian calendar) or one of the
  /// pairs has no training time near it.
  /// Refuses a range without times. Reads nothing; `at` reads `source`, which must outlive this object.
  Climatology(Source& source, const LoaderOptions& options, const TimeRange& training,
              const std::vector<int64_t>& valid_times, const Span& asked,
              ClimatologyKind kind = ClimatologyKind::by_day_and_hour, int64_t bytes = default_bytes);

  /// The climatology at one of the times asked for: T K P, fp64, physical units. 0 off the grid and for
  /// variables that are no target; NaN where all training values are missing. Not collective.
  at::Tensor at(int64_t valid_time);
  ClimatologyKind kind() const { return kind_; }
  /// One line for the log: how it was computed, from which times, and why if the time mean is used instead.
  const std::string& description() const { return description_; }

 private:
  using DayHour = std::pair<int, int>;
  struct Part;
  DayHour slot_of(int64_t time) const;
  double weight_in(const DayHour& slot, int64_t time) const;
  void choose_kind(const std::vector<int64_t>& valid_times);
  void make_from(const DayHour& slot);
  std::vector<Part> parts_of(const std::vector<std::string>& variables, const Span& rows);
  void add_time(int64_t time_index, std::vector<Part>& parts);

  Source& source_;
  LoaderOptions options_;
  std::vector<std::string> targets_;  // those that this rank's tokens carry
  std::vector<int64_t> times_;        // of training: indices in the catalogue
  size_t most_slots_;
  ClimatologyKind kind_;
  std::string description_;
  std::vector<DayHour> asked_;           // in order
  size_t next_ = 0;                      // of asked_: behind the last slot made
  std::map<DayHour, at::Tensor> slots_;  // means, T K P
};

}  // namespace graticule
