// Time as seconds since 1970-01-01 UTC in the proleptic Gregorian calendar; conversions from and to text and
// CF units.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace graticule {

/// "2001-01-31", "2001-01-31T06", "2001-01-31T06:30[:00][Z]", also with a space for T. Refuses anything else.
int64_t parse_time(std::string_view text);
/// "2001-01-31T06:30:00".
std::string format_time(int64_t seconds);

/// CF units "hours since 1900-01-01 [00:00:0.0]": seconds a unit, and the origin in seconds since 1970.
struct TimeUnits {
  double seconds_a_unit = 1;
  int64_t origin = 0;
};
/// Refuses an unknown unit (months, years), an unknown calendar, and an origin that is not in UTC. Known
/// calendars: standard, gregorian and proleptic_gregorian. Only the last may have an origin before
/// 1582-10-15.
TimeUnits parse_time_units(std::string_view units, std::string_view calendar);

/// Day of year from 1 (leap years have 366) and hour of day from 0.
int day_of_year(int64_t seconds);
int hour_of_day(int64_t seconds);

/// A closed range of times, as recipes give it: ["2001-01-01", "2001-12-31"]. A bare date at the end includes
/// its whole day. parse_time_range refuses an empty range.
struct TimeRange {
  int64_t begin = 0, end = 0;  ///< both included
};
TimeRange parse_time_range(std::string_view begin, std::string_view end);

}  // namespace graticule
