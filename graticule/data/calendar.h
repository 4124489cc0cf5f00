// The calendars of the CF conventions. Days are counted from 1970-01-01 of each calendar, so that differences
// of times are durations in every calendar. time.h turns days into times and texts.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace graticule {

/// `gregorian` is proleptic: it has no Julian dates before 1582-10-15. Years of `noleap` have 365 days, of
/// `all_leap` 366, of `days_360` twelve months of 30 days. `julian` has a leap year every fourth year. `none`:
/// samples that have no dates but numbers (time.h).
enum class Calendar { gregorian, julian, noleap, all_leap, days_360, none };

struct CalendarDay {
  int64_t year = 1970;
  int month = 1, day = 1;  ///< both from 1
};

/// CF's name, as it is written to files: "proleptic_gregorian", "julian", "noleap", "all_leap", "360_day";
/// "none" is no word of CF.
std::string_view name_of(Calendar calendar);
/// The calendar of a CF attribute in small letters, synonyms included ("365_day", "366_day"). "", "standard"
/// and "gregorian" give `gregorian`: time.h refuses their times before 1582-10-15. Nothing for other words.
std::optional<Calendar> calendar_named(std::string_view word);

/// Whether the calendar has this day (2001-02-30 is one of days_360 only).
bool has_day(Calendar calendar, const CalendarDay& date);
/// Days since 1970-01-01 of the calendar. `date` must be a day of the calendar.
int64_t days_of(Calendar calendar, const CalendarDay& date);
CalendarDay date_of(Calendar calendar, int64_t days);

/// Days in the calendar's longest year, and in its mean year.
int longest_year(Calendar calendar);
double mean_year(Calendar calendar);

/// The Gregorian time (seconds since 1970) at the same hour of the day and, to a day, the same part of the
/// year. The model derives the season from such times, so it needs to know one calendar only.
int64_t in_gregorian_season(Calendar calendar, int64_t seconds);

}  // namespace graticule
