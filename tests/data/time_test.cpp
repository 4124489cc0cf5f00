// Tests times: text, seconds, units of files, calendar.
#include "graticule/data/time.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/seed.h"

namespace graticule {
namespace {

TEST(Time, TextAndSecondsAgree) {
  EXPECT_EQ(parse_time("1970-01-01"), 0);
  EXPECT_EQ(parse_time("2001-01-31T06:30"), 980922600);
  EXPECT_EQ(parse_time("2001-01-31 06"), 980922600 - 1800);
  EXPECT_EQ(parse_time("2001-01-31T06:30:00Z"), 980922600);
  const unsigned seed = test_seed();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (int repeat = 0; repeat < 1000; ++repeat) {
    const int64_t seconds = static_cast<int64_t>(random() % 8'000'000'000) - 4'000'000'000;
    EXPECT_EQ(parse_time(format_time(seconds)), seconds);
  }
}

TEST(Time, RefusesWhatIsNoTime) {
  for (const char* text : {"", "2001", "2001-1-1", "2001-02-30", "2001-01-01T25", "2001-01-01T06:61",
                           "2001-01-01x", "2001-01-01T", "01/02/2001", "2001-01-01T06:00+02:00"}) {
    EXPECT_THROW(parse_time(text), std::invalid_argument) << text;
  }
}

TEST(Time, UnitsOfFiles) {
  EXPECT_EQ(parse_time_units("hours since 1900-01-01 00:00:0.0", "").origin, -2208988800);
  EXPECT_EQ(parse_time_units("hours since 1900-1-1", "gregorian").seconds_a_unit, 3600);
  EXPECT_EQ(parse_time_units("days since 0001-01-01", "proleptic_gregorian").seconds_a_unit, 86400);
  EXPECT_THROW(parse_time_units("months since 1900-01-01", "standard"), std::invalid_argument);
  EXPECT_THROW(parse_time_units("days since 1900-01-01", "360_day"), std::invalid_argument);
  EXPECT_THROW(parse_time_units("days since 0001-01-01", "standard"), std::invalid_argument);
  EXPECT_THROW(parse_time_units("days", "standard"), std::invalid_argument);
}

TEST(Time, CalendarOfDays) {
  EXPECT_EQ(day_of_year(parse_time("2000-12-31")), 366);
  EXPECT_EQ(day_of_year(parse_time("1969-12-31T23")), 365);
  EXPECT_EQ(hour_of_day(parse_time("1969-12-31T23")), 23);
  EXPECT_EQ(parse_time_range("2001-01-01", "2001-01-01").end, parse_time("2001-01-01T23:59:59"));
  EXPECT_THROW(parse_time_range("2001-01-02", "2001-01-01"), std::invalid_argument);
}

}  // namespace
}  // namespace graticule
