// Tests times: text, seconds, units of files, calendar.
#include "graticule/data/time.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
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
  EXPECT_EQ(parse_time_units("months since 1900-02-30", "360_day").seconds_a_unit, 30 * 86400);
  EXPECT_THROW(parse_time_units("days since 1900-02-29", "365_day"), std::invalid_argument);
  EXPECT_THROW(parse_time_units("days since 1900-01-01", "none"), std::invalid_argument);
  // 0001-01-01 of the Julian calendar is two days before that of the proleptic one.
  EXPECT_EQ(parse_time_units("days since 0001-01-01", "standard").origin,
            parse_time("0001-01-01") - 2 * 86400);
  EXPECT_THROW(parse_time_units("days", "standard"), std::invalid_argument);
}

TEST(Time, CalendarOfDays) {
  EXPECT_EQ(day_of_year(parse_time("2000-12-31")), 366);
  EXPECT_EQ(day_of_year(parse_time("1969-12-31T23")), 365);
  EXPECT_EQ(hour_of_day(parse_time("1969-12-31T23")), 23);
  EXPECT_EQ(parse_time_range("2001-01-01", "2001-01-01").end, parse_time("2001-01-01T23:59:59"));
  EXPECT_THROW(parse_time_range("2001-01-02", "2001-01-01"), std::invalid_argument);
}

TEST(Time, EveryCalendarCountsItsDays) {
  for (const Calendar calendar :
       {Calendar::gregorian, Calendar::julian, Calendar::noleap, Calendar::all_leap, Calendar::days_360}) {
    SCOPED_TRACE(name_of(calendar));
    EXPECT_EQ(calendar_named(name_of(calendar)), calendar);
    EXPECT_EQ(format_time(0, calendar), "1970-01-01T00:00:00");
    int last_day = 0, longest = 0;
    for (int64_t days = -200'000; days < 200'000; ++days) {
      const CalendarDay date = date_of(calendar, days);
      ASSERT_TRUE(has_day(calendar, date)) << days;
      ASSERT_EQ(days_of(calendar, date), days);
      const int day = day_of_year(days * 86400 + 5, calendar);
      ASSERT_TRUE(days == -200'000 || day == last_day + 1 || (day == 1 && date.month == 1 && date.day == 1));
      last_day = day, longest = std::max(longest, day);
    }
    EXPECT_EQ(longest, longest_year(calendar));
    const int64_t noon = parse_time("2001-06-30T12", calendar), alike = in_gregorian_season(calendar, noon);
    EXPECT_EQ(hour_of_day(alike), 12);
    const auto part = [](int64_t time, Calendar of) { return std::fmod(time / 86400.0 / mean_year(of), 1); };
    EXPECT_NEAR(part(alike, Calendar::gregorian), part(noon, calendar), 1.0 / 365);
  }
  EXPECT_EQ(parse_time_range("2001-02-01", "2001-02-30", Calendar::days_360).end + 1,
            parse_time("2001-03-01", Calendar::days_360));
  EXPECT_THROW(parse_time("2000-02-29", Calendar::noleap), std::invalid_argument);
}

TEST(Time, FloatsMeanRoundTimes) {
  const TimeUnits days = parse_time_units("days since 1850-01-01", "standard");
  for (const double hour : {1.0, 3.0, 6.0, 17.0}) {
    const auto stored = static_cast<float>(55000 + hour / 24);
    EXPECT_EQ(time_of(static_cast<double>(stored), days, 6e-8),
              days.origin + 55000 * int64_t{86400} + static_cast<int64_t>(hour) * 3600);
  }
  EXPECT_EQ(time_of(55000 + 1e-5, days, 1.2e-16), days.origin + 55000 * int64_t{86400} + 1);
}

}  // namespace
}  // namespace graticule
