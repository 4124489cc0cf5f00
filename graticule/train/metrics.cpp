#include "graticule/train/metrics.h"

#include <array>
#include <cmath>
#include <numbers>

#include "graticule/core/error.h"
#include "graticule/data/loader.h"

namespace graticule {

namespace {

/// The sums of one time, in the order they lie in memory. f and o are anomalies f' and o'.
struct Sums {
  double w = 0, w_error2 = 0, w_f = 0, w_o = 0, w_f2 = 0, w_o2 = 0, w_fo = 0, pixels = 0, f = 0, o = 0;
};
constexpr int64_t sum_count = sizeof(Sums) / sizeof(double);

Sums operator+(const Sums& a, const Sums& b) {
  return {a.w + b.w,       a.w_error2 + b.w_error2, a.w_f + b.w_f,       a.w_o + b.w_o, a.w_f2 + b.w_f2,
          a.w_o2 + b.w_o2, a.w_fo + b.w_fo,         a.pixels + b.pixels, a.f + b.f,     a.o + b.o};
}

double square_error(const Sums& s) { return s.w_error2 / s.w; }
double correlation(const Sums& s) { return s.w_fo / std::sqrt(s.w_f2 * s.w_o2); }

/// The correlation of f' - mean(f') and o' - mean(o'), plain means over pixels, by expanding the products.
double centred_correlation(const Sums& s) {
  const double f = s.f / s.pixels;
  const double o = s.o / s.pixels;
  const double product = s.w_fo - o * s.w_f - f * s.w_o + f * o * s.w;
  const double f_square = s.w_f2 - 2 * f * s.w_f + f * f * s.w;
  const double o_square = s.w_o2 - 2 * o * s.w_o + o * o * s.w;
  return product / std::sqrt(f_square * o_square);
}

// What these pixels add, in the order of Sums.
at::Tensor sums_of(const at::Tensor& forecast, const at::Tensor& truth, const at::Tensor& climatology,
                   const at::Tensor& weight) {
  const at::Tensor counted = weight > 0;
  const auto pixels = [&](const at::Tensor& values) { return values.masked_select(counted).to(at::kDouble); };
  const at::Tensor w = pixels(weight);
  const at::Tensor c = pixels(climatology);
  const at::Tensor f = pixels(forecast) - c;
  const at::Tensor o = pixels(truth) - c;
  const at::Tensor error = f - o;
  const at::Tensor w_f = w * f;
  const at::Tensor w_o = w * o;
  return at::stack({w.sum(), (w * error).dot(error), w_f.sum(), w_o.sum(), w_f.dot(f), w_o.dot(o), w_f.dot(o),
                    counted.sum().to(at::kDouble), f.sum(), o.sum()});
}

// By time.
std::span<const Sums> of_series(const at::Tensor& sums, int64_t series) {
  const auto times = static_cast<size_t>(sums.size(1));
  return {static_cast<const Sums*>(sums.const_data_ptr()) + static_cast<size_t>(series) * times, times};
}

constexpr std::array<Convention, 3> conventions = {Convention::wb2, Convention::wb1, Convention::climax};

}  // namespace

std::string_view name_of(Convention convention) {
  switch (convention) {
    case Convention::wb2:
      return "wb2";
    case Convention::wb1:
      return "wb1";
    case Convention::climax:
      return "climax";
  }
  GRATICULE_CHECK(false, "an unknown convention");
}

Convention convention_named(const std::string& name) {
  for (const Convention convention : conventions) {
    if (name == name_of(convention)) return convention;
  }
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
  constexpr int64_t tile = 1 << 14;  // rows whose pixels are held as fp64 at a time
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
  double count = 0, square = 0, root = 0, correlations = 0;
  for (const Sums& time : of_series(sums_, series)) {
    if (time.w == 0) continue;
    count += 1;
    square += square_error(time);
    root += std::sqrt(square_error(time));
    correlations += correlation(time);
    total = total + time;
  }
  switch (convention) {
    case Convention::wb2:
      return {std::sqrt(square / count), correlations / count};
    case Convention::wb1:
      return {std::sqrt(square / count), centred_correlation(total)};
    case Convention::climax:
      return {root / count, correlation(total)};
  }
  GRATICULE_CHECK(false, "an unknown convention");
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
