// Time as seconds since 1970-01-01 UTC of a calendar (calendar.h), mostly the proleptic Gregorian one;
// conversions from and to text and CF units.
//
// Samples without dates (Calendar::none) are numbered: independent images, or trajectories with steps. Step k of
// sample i has the time (i 2^20 + k) hours, so a lead of n hours is n steps, and no lead reaches another sample.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "graticule/data/calendar.h"

namespace graticule {

/// The time of a step of a sample, and the number of the sample that has a time: of Calendar::none.
constexpr int64_t sample_seconds = int64_t{3600} << 20;
constexpr int64_t time_of_sample(int64_t sample, int64_t step = 0) {
  return sample * sample_seconds + step * 3600;
}
constexpr int64_t sample_of_time(int64_t time) { return time / sample_seconds; }

/// "2001-01-31", "2001-01-31T06", "2001-01-31T06:30[:00][Z]", also with a space for T. Of
/// Calendar::none: "7", or "7:3" for step 3 of sample 7. Refuses anything else, and a day that the calendar does
/// not have.
int64_t parse_time(std::string_view text, Calendar calendar = Calendar::gregorian);
/// "2001-01-31T06:30:00"; of Calendar::none "sample 7" or "sample 7, step 3".
std::string format_time(int64_t seconds, Calendar calendar = Calendar::gregorian);

/// CF units "hours since 1900-01-01 [00:00:0.0]": seconds a unit, and the origin in seconds since 1970.
struct TimeUnits {
  double seconds_a_unit = 1;
  int64_t origin = 0;
  Calendar calendar = Calendar::gregorian;
  int64_t earliest = 0;  ///< times before this one are not known: those of `standard` before 1582-10-15
  bool dates =
      false;  ///< values are dates themselves, 20010131.25, as CDO and ICON write: "day as %Y%m%d.%f"
};
/// Refuses an unknown unit (years; months, except in 360_day, where they have 30 days), an unknown calendar,
/// and an origin that is not in UTC. An origin of `standard` before 1582-10-15 is a Julian date.
TimeUnits parse_time_units(std::string_view units, std::string_view calendar);

/// The time that a number in a file means. `value` counts units since the origin. `precision`: half of the
/// step between two such numbers in the file's type, relative to the value (6e-8 for 32-bit floats, 0 for
/// integers). The result is the roundest time within that error: a whole hour, 10 minutes, a minute, a second. Refuses a
/// date that the calendar does not have.
int64_t time_of(double value, const TimeUnits& units, double precision);

/// Day of year from 1 (leap years have 366) and hour of day from 0.
int day_of_year(int64_t seconds, Calendar calendar = Calendar::gregorian);
int hour_of_day(int64_t seconds);

/// A closed range of times, as recipes give it: ["2001-01-01", "2001-12-31"]. A bare date at the end includes
/// its whole day. parse_time_range refuses an empty range, and days that the calendar does not have.
struct TimeRange {
  int64_t begin = 0, end = 0;  ///< both included
  std::vector<int64_t> samples =
      {};  ///< of samples without dates: the only ones, ascending; empty: all in between

  bool holds(int64_t time) const;
  bool operator==(const TimeRange&) const = default;
};
TimeRange parse_time_range(std::string_view begin, std::string_view end,
                           Calendar calendar = Calendar::gregorian);

}  // namespace graticule
