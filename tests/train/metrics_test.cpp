// Tests the scores against their definitions, for any cut over ranks.
#include <ATen/Context.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include "graticule/train/metrics.h"

#include <gtest/gtest.h>

#include <random>

#include "graticule/core/span.h"
#include "tests/seed.h"

namespace graticule {
namespace {

/// Fields of several times on one grid with holes at places of their own, and the scores by the definitions,
/// one loop after the other.
struct Fields {
  int64_t times, rows, columns;
  at::Tensor forecast, truth, climatology, weight;  // times x rows x columns; weight rows x columns

  explicit Fields(uint64_t seed) {
    std::mt19937_64 random(seed);
    times = 1 + static_cast<int64_t>(random() % 4);
    rows = 2 + static_cast<int64_t>(random() % 9);
    columns = 2 + static_cast<int64_t>(random() % 9);
    climatology = at::randn({times, rows, columns}) + 280;
    truth = climatology + at::randn({times, rows, columns});
    forecast = truth + at::randn({times, rows, columns}) + 0.5;
    weight = at::rand({rows, columns}) + 0.1;
    for (at::Tensor* field : {&climatology, &truth, &forecast}) {
      field->masked_fill_(at::rand(field->sizes()) < 0.1, std::nan(""));
      field->slice(1, 0, 1).slice(2, 0, 2).copy_(at::randn({times, 1, 2}) + 280);  // something always counts
    }
  }

  template <class Value>
  double sum(Value value) const {
    double total = 0;
    for (int64_t t = 0; t < times; ++t) total += sum_at(t, value);
    return total;
  }
  // Over pixels with forecast and truth; of anomalies where `value` looks at the climatology.
  template <class Value>
  double sum_at(int64_t t, Value value) const {
    double total = 0;
    for (int64_t y = 0; y < rows; ++y) {
      for (int64_t x = 0; x < columns; ++x) {
        const double added = value(weight[y][x].item<double>(), forecast[t][y][x].item<double>(),
                                   truth[t][y][x].item<double>(), climatology[t][y][x].item<double>());
        if (!std::isnan(added)) total += added;
      }
    }
    return total;
  }
  template <class Value>
  static auto of_anomalies(Value value) {
    return [value](double w, double f, double o, double c) { return value(w, f - c, o - c); };
  }
};

// 0 (f + o) is NaN where one has no value.
double weight_of(double w, double f, double o, double /*c*/) { return w + 0 * (f + o); }
double square_error(double w, double f, double o, double /*c*/) { return w * (f - o) * (f - o); }

TimeScores by_time(const Fields& fields) {
  TimeScores scores;
  for (int64_t t = 0; t < fields.times; ++t) {
    const auto sum = [&](auto value) { return fields.sum_at(t, Fields::of_anomalies(value)); };
    const double fo = sum([](double w, double f, double o) { return w * f * o; });
    const double ff = sum([](double w, double f, double o) { return w * f * f + 0 * o; });
    const double oo = sum([](double w, double f, double o) { return w * o * o + 0 * f; });
    scores.mse.push_back(fields.sum_at(t, square_error) / fields.sum_at(t, weight_of));
    scores.acc.push_back(fo / std::sqrt(ff * oo));
  }
  return scores;
}

double mean_of(const std::vector<double>& values, double (*of)(double)) {
  double sum = 0, count = 0;
  for (const double value : values) {
    if (!std::isnan(value)) sum += of(value), ++count;
  }
  return sum / count;
}

double itself(double x) { return x; }

Score by_definition(const Fields& fields, Convention convention) {
  const TimeScores scores = by_time(fields);
  const auto sum = [&](auto value) { return fields.sum(Fields::of_anomalies(value)); };
  const double pixels = sum([](double, double f, double o) { return 1 + 0 * (f + o); });
  const bool centred = convention == Convention::wb1;
  const double mf = centred ? sum([](double, double f, double o) { return f + 0 * o; }) / pixels : 0;
  const double mo = centred ? sum([](double, double f, double o) { return o + 0 * f; }) / pixels : 0;
  const double fo = sum([&](double w, double f, double o) { return w * (f - mf) * (o - mo); });
  const double ff = sum([&](double w, double f, double o) { return w * (f - mf) * (f - mf) + 0 * o; });
  const double oo = sum([&](double w, double f, double o) { return w * (o - mo) * (o - mo) + 0 * f; });
  const bool of_roots = convention == Convention::climax;
  return {of_roots ? mean_of(scores.mse, std::sqrt) : std::sqrt(mean_of(scores.mse, itself)),
          convention == Convention::wb2 ? mean_of(scores.acc, itself) : fo / std::sqrt(ff * oo)};
}

TEST(Metrics, AnyCutOverRanksGivesTheDefinition) {
  for (int i = 0; i < 12; ++i) {
    const uint64_t seed = test_seed() + static_cast<uint64_t>(i);
    at::manual_seed(seed);
    const Fields fields(seed);
    const int64_t ranks = 1 + static_cast<int64_t>(seed % 4);
    at::Tensor total = at::zeros({2, fields.times + 1, 14}, at::kDouble);
    for (int64_t rank = 0; rank < ranks; ++rank) {
      ScoreSums sums(2, fields.times + 1);  // the last time stays empty
      const Span rows = span_of(fields.rows, ranks, rank);
      const auto part = [&](const at::Tensor& field) { return field.slice(0, rows.begin, rows.end); };
      for (int64_t t = 0; t < fields.times; ++t) {
        sums.add(1, t, part(fields.forecast[t]), part(fields.truth[t]), part(fields.climatology[t]),
                 part(fields.weight));
      }
      total += sums.values();
    }
    ScoreSums sums(2, fields.times + 1);
    sums.merge(total);
    for (const Convention convention : {Convention::wb2, Convention::wb1, Convention::climax}) {
      const Score expected = by_definition(fields, convention);
      const Score got = sums.score(1, convention);
      EXPECT_NEAR(got.rmse, expected.rmse, 1e-9 * expected.rmse) << name_of(convention) << " seed " << seed;
      EXPECT_NEAR(got.acc, expected.acc, 1e-9) << name_of(convention) << " seed " << seed;
    }
    const TimeScores expected = by_time(fields), got = sums.by_time(1);
    ASSERT_EQ(got.mse.size(), expected.mse.size() + 1);
    for (size_t t = 0; t < expected.mse.size(); ++t) {
      EXPECT_NEAR(got.mse[t], expected.mse[t], 1e-9 * expected.mse[t]) << "seed " << seed;
      EXPECT_NEAR(got.acc[t], expected.acc[t], 1e-9) << "seed " << seed;
    }
    EXPECT_TRUE(std::isnan(got.mse.back()) && std::isnan(got.acc.back()));
    EXPECT_TRUE(std::isnan(sums.score(0, Convention::wb2).rmse));
  }
}

TEST(Metrics, ByHand) {
  // Two times, weights 1 and 3: mean squares (1 * 4 + 3 * 0) / 4 = 1 and (1 * 1 + 3 * 5) / 4 = 4.
  ScoreSums sums(1, 2);
  const at::Tensor weight = at::tensor({1.0F, 3.0F});
  const at::Tensor zero = at::zeros({2});
  sums.add(0, 0, at::tensor({3.0F, 2.0F}), at::tensor({1.0F, 2.0F}), zero, weight);
  sums.add(0, 1, at::tensor({1.0F, 0.0F}), at::tensor({0.0F, std::sqrt(5.0F)}), zero, weight);
  EXPECT_NEAR(sums.score(0, Convention::wb2).rmse, std::sqrt(2.5), 1e-7);
  EXPECT_NEAR(sums.score(0, Convention::wb1).rmse, std::sqrt(2.5), 1e-7);
  EXPECT_NEAR(sums.score(0, Convention::climax).rmse, 1.5, 1e-7);
  // ACC of time 0: (3 + 12) / sqrt((9 + 12) (1 + 12)); of time 1: 0, the anomalies share no pixel.
  EXPECT_NEAR(sums.score(0, Convention::wb2).acc, 15 / std::sqrt(21.0 * 13.0) / 2, 1e-7);
}

TEST(Metrics, EachScoreNeedsOnlyWhatItUses) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  ScoreSums sums(1, 1);
  // Counted: by the error the first and the last, by the correlation the last; the others have no truth, no
  // forecast or no weight.
  sums.add(0, 0, at::tensor({1.0F, 7.0F, nan, 8.0F, 3.0F}), at::tensor({2.0F, nan, 5.0F, 0.0F, 4.0F}),
           at::tensor({nan, 0.0F, 0.0F, 0.0F, 1.0F}), at::tensor({2.0F, 1.0F, 1.0F, 0.0F, 6.0F}));
  EXPECT_EQ(sums.score(0, Convention::wb2).rmse, 1);
  EXPECT_NEAR(sums.score(0, Convention::wb2).acc, 1, 1e-12);
  EXPECT_EQ(sums.by_time(0).mse, std::vector<double>{1});
}

TEST(Metrics, AScoreThatIsNotDefinedSaysWhy) {
  const at::Tensor none = at::full({4}, std::nan("")), some = at::tensor({1.0F, 2.0F, 0.0F, 1.0F});
  const auto half = [&](int64_t begin) {
    at::Tensor x = some.clone();
    x.slice(0, begin, begin + 2).fill_(std::nan(""));
    return x;
  };
  const auto gap = [&](const at::Tensor& forecast, const at::Tensor& truth, const at::Tensor& climatology) {
    ScoreSums sums(1, 1);
    sums.add(0, 0, forecast, truth, climatology, at::ones({4}));
    for (const Convention convention : {Convention::wb2, Convention::wb1, Convention::climax}) {
      EXPECT_TRUE(std::isnan(sums.score(0, convention).acc));
    }
    EXPECT_EQ(std::isnan(sums.score(0, Convention::wb2).rmse),
              !(forecast - truth).isfinite().any().item<bool>());
    return sums.gap(0, "no forecast");
  };
  EXPECT_EQ(gap(some, none, some), "the data have no value at its valid times");
  EXPECT_EQ(gap(none, some, some), "no forecast");
  EXPECT_EQ(gap(half(0), half(2), some), "the forecast has no value where the data have one");
  EXPECT_EQ(gap(some, some, none), "the climatology has no value");
  EXPECT_EQ(gap(half(0), half(0), half(2)), "the climatology has no value where forecast and data have one");
  EXPECT_EQ(gap(some, some, some), "its anomalies or those of the data are 0");
}

TEST(Metrics, AForecastOfTheClimatologyHasNoCorrelation) {
  ScoreSums sums(1, 1);
  const at::Tensor climatology = at::randn({5});
  sums.add(0, 0, climatology, at::randn({5}), climatology, at::ones({5}));
  EXPECT_TRUE(std::isnan(sums.score(0, Convention::wb2).acc));
  EXPECT_GT(sums.score(0, Convention::wb2).rmse, 0);
}

TEST(Metrics, RowWeightsAgreeWithoutPoles) {
  std::vector<double> latitudes;
  for (int i = 0; i < 32; ++i) latitudes.push_back(-90 + (i + 0.5) * 180 / 32);
  const auto area = row_weights(Convention::wb2, latitudes);
  const auto cosine = row_weights(Convention::climax, latitudes);
  for (size_t i = 0; i < latitudes.size(); ++i) EXPECT_NEAR(area[i], cosine[i], 1e-12);
  EXPECT_EQ(convention_named("wb1"), Convention::wb1);
  EXPECT_THROW(convention_named("wb3"), std::invalid_argument);
}

}  // namespace
}  // namespace graticule
