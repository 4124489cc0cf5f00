#include "graticule/train/metrics.h"

#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include <array>
#include <cmath>
#include <numbers>

#include "graticule/core/error.h"
#include "graticule/data/loader.h"

namespace graticule {

namespace {

/// The sums of one time, in the order of the tensor. f and o are the anomalies f' and o'.
struct Sums {
  double w = 0, w_error2 = 0;  // over pixels with a forecast and a truth
  double w_anomaly = 0, w_f = 0, w_o = 0, w_f2 = 0, w_o2 = 0, w_fo = 0, pixels = 0, f = 0,
         o = 0;                                         // of these, over pixels with a climatology
  double forecasts = 0, truths = 0, climatologies = 0;  // how many pixels have one
};
constexpr int64_t sum_count = sizeof(Sums) / sizeof(double);

Sums operator+(const Sums& a, const Sums& b) {
  return {a.w + b.w,
          a.w_error2 + b.w_error2,
          a.w_anomaly + b.w_anomaly,
          a.w_f + b.w_f,
          a.w_o + b.w_o,
          a.w_f2 + b.w_f2,
          a.w_o2 + b.w_o2,
          a.w_fo + b.w_fo,
          a.pixels + b.pixels,
          a.f + b.f,
          a.o + b.o,
          a.forecasts + b.forecasts,
          a.truths + b.truths,
          a.climatologies + b.climatologies};
}

double square_error(const Sums& s) { return s.w_error2 / s.w; }
double correlation(const Sums& s) { return s.w_fo / std::sqrt(s.w_f2 * s.w_o2); }

/// The correlation of f' - mean(f') and o' - mean(o') with plain means over pixels, computed by expanding the
/// products.
double centred_correlation(const Sums& s) {
  const double f = s.f / s.pixels;
  const double o = s.o / s.pixels;
  const double product = s.w_fo - o * s.w_f - f * s.w_o + f * o * s.w_anomaly;
  const double f_square = s.w_f2 - 2 * f * s.w_f + f * f * s.w_anomaly;
  const double o_square = s.w_o2 - 2 * o * s.w_o + o * o * s.w_anomaly;
  return product / std::sqrt(f_square * o_square);
}

// What these pixels add to the sums, in the order of Sums.
at::Tensor sums_of(const at::Tensor& forecast, const at::Tensor& truth, const at::Tensor& climatology,
                   const at::Tensor& weight) {
  const at::Tensor weighs = weight > 0;
  const auto with = [&](const at::Tensor& values) {
    return values.isnan().logical_not_().logical_and_(weighs);
  };
  const at::Tensor forecasts = with(forecast), truths = with(truth), climatologies = with(climatology);
  const at::Tensor judged = forecasts & truths, compared = judged & climatologies;
  const auto pixels = [](const at::Tensor& values, const at::Tensor& of) {
    return values.masked_select(of).to(at::kDouble);
  };
  const auto count = [](const at::Tensor& of) { return of.sum().to(at::kDouble); };

  const at::Tensor w = pixels(weight, judged);
  const at::Tensor error = pixels(forecast, judged) - pixels(truth, judged);
  const at::Tensor w_anomaly = pixels(weight, compared), c = pixels(climatology, compared);
  const at::Tensor f = pixels(forecast, compared) - c, o = pixels(truth, compared) - c;
  const at::Tensor w_f = w_anomaly * f, w_o = w_anomaly * o;
  return at::stack({w.sum(), (w * error).dot(error), w_anomaly.sum(), w_f.sum(), w_o.sum(), w_f.dot(f),
                    w_o.dot(o), w_f.dot(o), count(compared), f.sum(), o.sum(), count(forecasts),
                    count(truths), count(climatologies)});
}

// The sums of one series, one entry for each time.
std::span<const Sums> of_series(const at::Tensor& sums, int64_t series) {
  const auto times = static_cast<size_t>(sums.size(1));
  return {static_cast<const Sums*>(sums.const_data_ptr()) + static_cast<size_t>(series) * times, times};
}

}  // namespace

Convention convention_named(const std::string& name) {
  if (const auto convention = value_named<Convention>(name)) return *convention;
  refuse("scores", "unknown convention ", name, ": choose wb2, wb1 or climax");
}

std::vector<double> row_weights(Convention convention, const std::vector<double>& latitudes) {
  if (convention == Convention::wb2) return latitude_weights(latitudes);
  std::vector<double> weights;
  double sum = 0;
  for (const double latitude : latitudes) {
    weights.push_back(std::cos(latitude * std::numbers::pi / 180));
    sum += weights.back();
  }
  for (double& weight : weights) weight *= static_cast<double>(latitudes.size()) / sum;
  return weights;
}

ScoreSums::ScoreSums(int64_t series, int64_t times)
    : sums_(at::zeros({series, times, sum_count}, at::kDouble)) {}

void ScoreSums::add(int64_t series, int64_t time, const at::Tensor& forecast, const at::Tensor& truth,
                    const at::Tensor& climatology, const at::Tensor& weight) {
  GRATICULE_CHECK(forecast.sizes() == truth.sizes() && truth.sizes() == climatology.sizes() &&
                  truth.sizes() == weight.sizes());
  constexpr int64_t tile = 1 << 14;  // rows to convert to fp64 at a time
  const int64_t rows = weight.size(0);
  for (int64_t begin = 0; begin < rows; begin += tile) {
    const auto cut = [&](const at::Tensor& x) { return x.narrow(0, begin, std::min(tile, rows - begin)); };
    sums_[series][time] += sums_of(cut(forecast), cut(truth), cut(climatology), cut(weight)).to(at::kCPU);
  }
}

void ScoreSums::merge(const at::Tensor& total) {
  GRATICULE_CHECK(total.sizes() == sums_.sizes() && total.scalar_type() == at::kDouble);
  sums_ = total.to(at::kCPU).contiguous();
}

Score ScoreSums::score(int64_t series, Convention convention) const {
  Sums total;
  double errors = 0, square = 0, root = 0, correlated = 0, correlations = 0;
  for (const Sums& time : of_series(sums_, series)) {
    if (time.w > 0) {
      errors += 1;
      square += square_error(time);
      root += std::sqrt(square_error(time));
    }
    if (const double r = correlation(time); !std::isnan(r)) {
      correlated += 1;
      correlations += r;
    }
    total = total + time;
  }
  switch (convention) {
    case Convention::wb2:
      return {std::sqrt(square / errors), correlations / correlated};
    case Convention::wb1:
      return {std::sqrt(square / errors), centred_correlation(total)};
    case Convention::climax:
      return {root / errors, correlation(total)};
  }
  GRATICULE_CHECK(false, "an unknown convention");
}

std::string ScoreSums::gap(int64_t series, const std::string& without_forecast) const {
  Sums total;
  for (const Sums& time : of_series(sums_, series)) total = total + time;
  if (total.truths == 0) return "the data have no value at its valid times";
  if (total.forecasts == 0) return without_forecast;
  if (total.w == 0) return "the forecast has no value where the data have one";
  if (total.climatologies == 0) return "the climatology has no value";
  if (total.w_anomaly == 0) return "the climatology has no value where forecast and data have one";
  return "its anomalies or those of the data are 0";
}

TimeScores ScoreSums::by_time(int64_t series) const {
  TimeScores scores;
  for (const Sums& time : of_series(sums_, series)) {
    scores.mse.push_back(square_error(time));
    scores.acc.push_back(correlation(time));
  }
  return scores;
}

}  // namespace graticule
