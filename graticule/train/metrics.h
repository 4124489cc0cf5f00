// Latitude-weighted RMSE and anomaly correlation (ACC) of forecasts, summed so that any cut of the field over
// ranks gives the same scores.
//
// With f the forecast, o the truth, c the climatology, w the weight of a pixel, f' = f - c, o' = o - c, <.>
// the weighted mean over the grid at one time and mean_t the mean over times:
// - wb2 (WeatherBench 2): RMSE sqrt(mean_t <(f - o)^2>), ACC mean_t( <f' o'> / sqrt(<f'^2> <o'^2>) );
// - wb1 (WeatherBench 1): the same RMSE, ACC one ratio of sums over all times, f' and o' less their plain
//   means;
// - climax (ClimaX): RMSE mean_t sqrt(<(f - o)^2>), ACC one ratio of sums over all times.
// A pixel without a value (NaN) in the forecast or the truth counts nothing, one without a climatology
// nothing in the ACC. A time at which nothing counts, or the ACC is 0/0, is left out of mean_t. The
// climatology is the caller's: by day and hour for wb2, the time mean of the scored range for wb1 and climax.
// docs/scores.md says more.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace graticule {

enum class Convention { wb2, wb1, climax };

std::string_view name_of(Convention convention);
/// Refuses an unknown name, saying which there are.
Convention convention_named(const std::string& name);

/// The weight of each row, mean 1. wb2: area of the row's cells, as `latitude_weights` gives it; wb1 and
/// climax: cos(latitude). Without rows at the poles of an equiangular grid the two agree. Latitudes
/// ascending, degrees.
std::vector<double> row_weights(Convention convention, const std::vector<double>& latitudes);

struct Score {
  double rmse = 0;  ///< NaN where nothing counts
  double acc = 0;   ///< likewise, and where it is 0/0: a forecast that is the climatology has no anomalies
};

/// Of every time. NaN where nothing counts at a time, or the correlation is not defined there.
struct TimeScores {
  std::vector<double> mse;  ///< <(f - o)^2>
  std::vector<double> acc;  ///< <f' o'> / sqrt(<f'^2> <o'^2>), the same in every convention
};

/// Partial sums of many series (one a variable, lead and kind of forecast) over the same evaluated times.
/// Every rank makes one of the same size, adds its own pixels, and all sum theirs before a score is taken:
///   sums.merge(group.all_reduce(sums.values()).wait());
class ScoreSums {
 public:
  ScoreSums(int64_t series, int64_t times);

  /// Adds pixels at one time of one series: tensors of one shape, any device, physical units, NaN where one
  /// has no value. A pixel of weight 0 counts nothing, whatever stands there. May be called any number of
  /// times for the same series and time.
  void add(int64_t series, int64_t time, const at::Tensor& forecast, const at::Tensor& truth,
           const at::Tensor& climatology, const at::Tensor& weight);

  /// series x times x 14 sums, fp64, on the CPU.
  const at::Tensor& values() const { return sums_; }
  /// Replaces the sums by those of all ranks.
  void merge(const at::Tensor& total);
  Score score(int64_t series, Convention convention) const;
  /// Why a score of this series is NaN, in words; `without_forecast` where its forecast has no value at all.
  std::string gap(int64_t series, const std::string& without_forecast) const;
  TimeScores by_time(int64_t series) const;

 private:
  at::Tensor sums_;
};

}  // namespace graticule
