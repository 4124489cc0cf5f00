// Tests the climatology against the definition of WeatherBench 2.
#include "graticule/train/climatology.h"

#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "graticule/data/time.h"
#include "tests/tensor_memory.h"

namespace graticule {
namespace {

constexpr int64_t hour = 3600;
constexpr int64_t day = 24 * hour;

/// A source of noise that depends on variable, time and pixel. Values are NaN where `missing` returns true.
class NoiseSource : public Source {
 public:
  NoiseSource(int64_t rows, int64_t columns, std::vector<int64_t> times) {
    catalog_.latitudes.resize(static_cast<size_t>(rows));
    catalog_.longitudes.resize(static_cast<size_t>(columns));
    catalog_.times = std::move(times);
    for (const char* name : {"a", "b", "c"}) catalog_.variables.push_back({name, "", "", "", false});
  }
  const Catalog& catalog() const override { return catalog_; }
  float value(const std::string& variable, int64_t time, int64_t y, int64_t x) const {
    if (missing && missing(time, y)) return std::numeric_limits<float>::quiet_NaN();
    const auto seed = static_cast<uint64_t>((variable[0] * 1000 + y * 100 + x) * 1000003 + time / hour);
    return static_cast<float>(std::mt19937_64(seed)() % 1000) + 50000;
  }
  void read(const std::string& variable, int64_t time_index, Span rows, std::span<float> out) override {
    const auto columns = static_cast<int64_t>(catalog_.longitudes.size());
    const int64_t time = catalog_.times[static_cast<size_t>(time_index)];
    for (int64_t i = 0; i < rows.size() * columns; ++i) {
      out[static_cast<size_t>(i)] = value(variable, time, rows.begin + i / columns, i % columns);
    }
    ++reads[variable];
  }
  std::function<bool(int64_t time, int64_t y)> missing;
  std::map<std::string, int> reads;

 private:
  Catalog catalog_;
};

std::vector<int64_t> every(int64_t step, const char* begin, const char* end) {
  std::vector<int64_t> times;
  for (int64_t time = parse_time(begin); time <= parse_time(end); time += step) times.push_back(time);
  return times;
}

LoaderOptions options_for(TokenMode mode, Span tokens) {
  LoaderOptions options;
  options.variables = {"a", "b", "c"};
  options.targets = {"a", "c"};
  options.grid = {mode, 3, 5, 6, 2};
  options.tokens = tokens;
  return options;
}

/// The definition of WeatherBench 2: years of 366 days each, with the missing day filled, and a weighted mean
/// over the circle of days.
double by_definition(const NoiseSource& source, const TimeRange& range, int64_t valid,
                     const std::string& variable, int64_t y, int64_t x) {
  std::map<int, std::map<int, double>> years;  // year, day of year
  for (const int64_t time : source.catalog().times) {
    if (time < range.begin || time > range.end || hour_of_day(time) != hour_of_day(valid)) continue;
    years[std::stoi(format_time(time))][day_of_year(time)] = source.value(variable, time, y, x);
  }
  double sum = 0, weights = 0;
  for (auto& [year, days] : years) {
    if (!days.contains(366) && days.contains(365)) days[366] = days[365];
    for (int offset = -30; offset <= 30; ++offset) {
      const auto found = days.find((day_of_year(valid) - 1 + offset + 366) % 366 + 1);
      if (found == days.end() || std::isnan(found->second)) continue;
      sum += (1 - std::abs(offset) / 30.0) * found->second;
      weights += 1 - std::abs(offset) / 30.0;
    }
  }
  return sum / weights;
}

void expect_definition(NoiseSource& source, TokenMode mode, Span tokens,
                       int64_t bytes = Climatology::default_bytes) {
  const TimeRange training = {parse_time("2003-06-01"), parse_time("2005-05-31T12")};
  const std::vector<int64_t> valid = {parse_time("2006-01-01"), parse_time("2006-07-04T12"),
                                      parse_time("2008-12-31T12")};
  const LoaderOptions options = options_for(mode, tokens);
  Climatology climatology(source, options, training, valid, {0, std::ssize(valid)},
                          ClimatologyKind::by_day_and_hour, bytes);
  EXPECT_EQ(climatology.kind(), ClimatologyKind::by_day_and_hour) << climatology.description();
  const TokenGrid& grid = options.grid;
  for (const int64_t time : valid) {
    const at::Tensor c_TKP = climatology.at(time);
    ASSERT_EQ(c_TKP.sizes(), at::IntArrayRef({tokens.size(), grid.variables_per_token(), grid.pixels()}));
    for (int64_t token = tokens.begin; token < tokens.end; ++token) {
      const auto place = grid.locate(token);
      for (int64_t k = 0; k < grid.variables_per_token(); ++k) {
        const std::string& variable = options.variables[static_cast<size_t>(place.variable + k)];
        for (int64_t p = 0; p < grid.pixels(); ++p) {
          const int64_t y = place.patch_row * grid.patch.rows + p / grid.patch.columns;
          const int64_t x = place.patch_column * grid.patch.columns + p % grid.patch.columns;
          const bool counted = y < grid.rows && x < grid.columns && variable != "b";
          const double expected = counted ? by_definition(source, training, time, variable, y, x) : 0;
          const double got = c_TKP[token - tokens.begin][k][p].item<double>();
          if (std::isnan(expected) && std::isnan(got)) continue;
          ASSERT_NEAR(got, expected, 1e-9 * std::abs(expected))
              << variable << " " << y << " " << x << " " << format_time(time);
        }
      }
    }
  }
}

TEST(Climatology, IsWeatherBench2sForAnyTokens) {
  NoiseSource source(5, 6, every(12 * hour, "2003-01-01", "2006-12-31T12"));
  expect_definition(source, TokenMode::full, {5, 21});
  EXPECT_EQ(source.reads.count("b"), 0U);  // no target: not read
  expect_definition(source, TokenMode::channels, {2, 5});
}

TEST(Climatology, LeavesNanOut) {
  NoiseSource source(5, 6, every(12 * hour, "2003-01-01", "2006-12-31T12"));
  source.missing = [](int64_t time, int64_t y) { return y == 1 || (y == 2 && time / day % 3 == 0); };
  expect_definition(source, TokenMode::full, {0, 9});
}

// There is memory for one or two pairs of day and hour at a time.
TEST(Climatology, IsTheSameInSeveralPasses) {
  NoiseSource source(5, 6, every(12 * hour, "2003-01-01", "2006-12-31T12"));
  source.missing = [](int64_t time, int64_t y) { return y == 2 && time / day % 3 == 0; };
  for (const int64_t bytes : {1, 2 * 16 * 4 * 8}) expect_definition(source, TokenMode::full, {5, 21}, bytes);
}

TEST(Climatology, TakesItsSlotsAndOneVariable) {
  NoiseSource source(16, 16, every(12 * hour, "2003-01-01", "2005-12-31T12"));
  const std::vector<int64_t> valid = every(12 * hour, "2006-03-01", "2006-03-04T12");
  LoaderOptions options = options_for(TokenMode::full, {0, 3 * 64});
  options.grid = {TokenMode::full, 3, 16, 16, 2};
  const int64_t field = 16 * 16 * 8, slot = 3 * field;
  Climatology climatology(source, options, parse_time_range("2003-01-01", "2005-12-31"), valid,
                          {0, std::ssize(valid)}, ClimatologyKind::by_day_and_hour, 3 * slot);
  const int64_t peak = peak_tensor_bytes([&] {
    for (const int64_t time : valid) climatology.at(time);
  });
  EXPECT_LE(peak, 3 * slot + 3 * field + 1024);
}

TEST(Climatology, IsTheTimeMeanWhenTheYearIsNotCovered) {
  NoiseSource source(5, 6, every(day, "2003-01-01", "2004-06-30"));
  const auto mean_of = [&](const TimeRange& range, const std::vector<int64_t>& valid) {
    Climatology climatology(source, options_for(TokenMode::full, {0, 1}), range, valid, {0, 1});
    EXPECT_EQ(climatology.kind(), ClimatologyKind::time_mean);
    double sum = 0, count = 0;
    for (const int64_t time : source.catalog().times) {
      if (time < range.begin || time > range.end) continue;
      sum += source.value("a", time, 0, 0);
      count += 1;
    }
    EXPECT_NEAR(climatology.at(valid[0])[0][0][0].item<double>(), sum / count, 1e-6);
    return climatology.description();
  };
  const TimeRange half_a_year = parse_time_range("2003-01-01", "2003-06-30");
  EXPECT_NE(mean_of(half_a_year, {parse_time("2004-03-01")}).find("they span less than a year"),
            std::string::npos);
  const TimeRange all = parse_time_range("2003-01-01", "2004-06-30");
  EXPECT_NE(mean_of(all, {parse_time("2004-03-01T06")}).find("none is within 30 days of day 61 at 6 h"),
            std::string::npos);
}

TEST(Climatology, RefusesARangeWithoutTimes) {
  NoiseSource source(5, 6, every(day, "2003-01-01", "2003-12-31"));
  const TimeRange later = parse_time_range("2005-01-01", "2005-12-31");
  EXPECT_THROW(Climatology(source, options_for(TokenMode::full, {0, 1}), later, {0}, {0, 1}),
               std::invalid_argument);
}

}  // namespace
}  // namespace graticule
