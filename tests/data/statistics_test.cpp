// Tests means and deviations against the direct formulas, in one pass and in parts.
#include "graticule/data/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "graticule/data/random.h"
#include "tests/data/table_source.h"

namespace graticule {
namespace {

// mean, then sqrt(mean((x - mean)^2)), NaN left out: what xarray's mean() and std() give.
std::pair<double, double> direct(const std::vector<double>& values) {
  double sum = 0, squares = 0, count = 0;
  for (const double x : values) {
    if (!std::isnan(x)) sum += x, count += 1;
  }
  for (const double x : values) {
    if (!std::isnan(x)) squares += (x - sum / count) * (x - sum / count);
  }
  return {sum / count, std::sqrt(squares / count)};
}

TEST(Statistics, one_pass_equals_the_direct_formulas) {
  TableSource source = table_source(5, 7, {"a", "b", "c"}, 30, 6, 11);
  source.values["a"][12] = source.values["a"][400] = std::numeric_limits<float>::quiet_NaN();
  for (float& x : source.values["b"]) x += 1e5f;
  source.values["c"].assign(source.values["c"].size(), 3.0f);
  const TimeRange range = {source.listing.times[3], source.listing.times[25]};
  const Statistics statistics = compute_statistics(source, {"a", "b", "c"}, {6, 24}, range);
  EXPECT_EQ(statistics.times, 23);
  for (const std::string name : {"a", "b"}) {
    const auto field = [&](int64_t i) {
      return static_cast<double>(source.values[name][static_cast<size_t>(i)]);
    };
    std::vector<double> values;
    for (int64_t i = 3 * 35; i < 26 * 35; ++i) values.push_back(field(i));
    const auto [mean, deviation] = direct(values);
    const VariableStatistics& made = statistics.of(name);
    EXPECT_NEAR(made.mean, mean, 1e-9 * std::abs(mean) + 1e-12);
    EXPECT_NEAR(made.deviation, deviation, 1e-9 * deviation);
    EXPECT_EQ(made.count + made.missing, 23 * 35);
    EXPECT_EQ(made.missing, name == "a" ? 1 : 0);  // the other NaN lies before the range
    for (const int steps : {1, 4}) {
      double squares = 0, count = 0;
      for (int64_t i = 3 * 35; i < (26 - steps) * 35; ++i) {
        const double difference = field(i + steps * 35) - field(i);
        if (!std::isnan(difference)) squares += difference * difference, count += 1;
      }
      EXPECT_NEAR(made.difference_deviation.at(6 * steps), std::sqrt(squares / count), 1e-9);
    }
  }
  EXPECT_EQ(statistics.of("c").deviation, 1);
  EXPECT_EQ(statistics.of("c").difference_deviation.at(6), 1);
}

TEST(Statistics, parts_merge_to_the_whole_and_survive_json) {
  TableSource source = table_source(3, 4, {"a", "b", "c", "d", "e"}, 12, 6, 12);
  const std::vector<std::string> names = {"a", "b", "c", "d", "e"};
  const TimeRange range = {source.listing.times.front(), source.listing.times.back()};
  const Statistics all = compute_statistics(source, names, {6}, range);
  Statistics merged = compute_statistics(source, names, {6}, range, 0, 3);
  for (const int64_t part : {1, 2})
    merged = merge(merged, compute_statistics(source, names, {6}, range, part, 3));
  EXPECT_EQ(to_json(merged), to_json(all));
  EXPECT_EQ(to_json(statistics_from_json(to_json(all), "here")), to_json(all));
  EXPECT_THROW(statistics_from_json("{}", "here"), std::invalid_argument);
  EXPECT_THROW(statistics_from_json("[1", "here"), std::invalid_argument);
  EXPECT_THROW(all.of("z"), std::invalid_argument);
  EXPECT_EQ(compute_statistics(source, {"a"}, {6}, range, 0, 1, 5).of("a").count, 5 * 12);
  EXPECT_THROW(compute_statistics(source, {"a"}, {6}, {0, 1}), std::invalid_argument);
}

// A field is its time's number everywhere.
struct CountingSource : Source {
  Catalog listing;
  int64_t reads = 0;
  const Catalog& catalog() const override { return listing; }
  void read(const std::string& /*variable*/, int64_t time_index, Span /*rows*/,
            std::span<float> out) override {
    std::fill(out.begin(), out.end(), static_cast<float>(time_index * time_index));
    ++reads;
  }
};

// Eleven fields of 2^20 values wait for their later time; they do not all stay: some are read a second time,
// and nothing changes.
TEST(Statistics, large_fields_are_read_again_rather_than_kept) {
  CountingSource source;
  source.listing = table_source(1024, 1024, {}, 24, 6, 1).listing;
  source.listing.variables.push_back({"a", "", "", "", false});
  const auto& times = source.listing.times;
  const Statistics statistics = compute_statistics(source, {"a"}, {60}, {times.front(), times.back()});
  EXPECT_GT(source.reads, 24);
  EXPECT_LE(source.reads, 24 + 14);
  std::vector<double> values;
  double squares = 0;
  for (int t = 0; t < 24; ++t) values.push_back(t * t);
  for (int t = 0; t < 14; ++t) squares += (20.0 * t + 100) * (20.0 * t + 100);
  EXPECT_NEAR(statistics.of("a").deviation, direct(values).second, 1e-9);
  EXPECT_NEAR(statistics.of("a").difference_deviation.at(60), std::sqrt(squares / 14), 1e-9);
}

}  // namespace
}  // namespace graticule
