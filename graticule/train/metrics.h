// Latitude-weighted RMSE and anomaly correlation (ACC) of forecasts, as sums, so that every cut of the field
// over ranks gives the same scores. evaluate.h uses it.
//
// With f the forecast, o the truth, c the climatology, w the weight of a pixel, f' = f - c, o' = o - c, <.>
// the weighted mean over the grid at one time and mean_t the mean over times:
//
//   wb2     WeatherBench 2, arXiv 2308.15560. RMSE sqrt(mean_t <(f - o)^2>),
//           ACC mean_t( <f' o'> / sqrt(<f'^2> <o'^2>) )
//   wb1     WeatherBench 1, arXiv 2002.00469. The same RMSE;
//           ACC one ratio of sums over all times, f' and o' minus their plain means
//   climax  ClimaX, arXiv 2301.10343. RMSE mean_t sqrt(<(f - o)^2>), ACC one ratio of sums over all times
//
// A pixel with NaN in the forecast or the truth does not count. A pixel without a climatology does not count
// in the ACC. A time at which no pixel counts, or at which the ACC is 0/0, is left out of mean_t. The caller
// gives the climatology: by day and hour for wb2, the time mean of the scored range for wb1 and climax.
// docs/scores.md has more.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "graticule/core/choices.h"

namespace graticule {

enum class Convention { wb2, wb1, climax };
template <>
inline constexpr auto choices_of<Convention> = std::to_array<Choice<Convention>>(
    {{"wb2", Convention::wb2}, {"wb1", Convention::wb1}, {"climax", Convention::climax}});
/// The convention of this name. Refuses an unknown name and lists those that exist.
Convention convention_named(const std::string& name);

/// The weight of each row, mean 1. wb2: the area of the row's cells (`latitude_weights`); wb1 and climax:
/// cos(latitude). The two agree on an equiangular grid without rows at the poles. Latitudes ascending, in
/// degrees.
std::vector<double> row_weights(Convention convention, const std::vector<double>& latitudes);

struct Score {
  double rmse = 0;  ///< NaN when no pixel counts
  double acc = 0;   ///< likewise, and NaN when it is 0/0, as for a forecast that is the climatology
};

/// Scores of each time. NaN when no pixel counts at that time, or when the correlation is 0/0.
struct TimeScores {
  std::vector<double> mse;  ///< <(f - o)^2>
  std::vector<double> acc;  ///< <f' o'> / sqrt(<f'^2> <o'^2>), the same in every convention
};

/// Partial sums of many series over the same times. A series is one variable, lead and kind of forecast.
/// Every rank makes an object of the same size and adds its own pixels. Then all ranks add their sums, before
/// a score is computed:
///   sums.merge(group.all_reduce(sums.values()).wait());
class ScoreSums {
 public:
  /// All sums are 0.
  ScoreSums(int64_t series, int64_t times);

  /// Adds pixels at one time of one series. All tensors have one shape (any device), physical units, and NaN
  /// where there is no value. A pixel of weight 0 does not count, whatever its values. May be called several
  /// times for a series and time.
  void add(int64_t series, int64_t time, const at::Tensor& forecast, const at::Tensor& truth,
           const at::Tensor& climatology, const at::Tensor& weight);

  /// series x times x 14 sums, fp64, on the CPU.
  const at::Tensor& values() const { return sums_; }
  /// Replaces the sums by those of all ranks.
  void merge(const at::Tensor& total);
  /// The score of one series over all times.
  Score score(int64_t series, Convention convention) const;
  /// Why a score of this series is NaN, in words. `without_forecast`: the text for a forecast without any
  /// value.
  std::string gap(int64_t series, const std::string& without_forecast) const;
  /// The scores of one series at each time.
  TimeScores by_time(int64_t series) const;

 private:
  at::Tensor sums_;
};

}  // namespace graticule
