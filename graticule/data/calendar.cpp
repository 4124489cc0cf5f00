#include "graticule/data/calendar.h"

#include <array>
#include <cmath>
#include <map>

namespace graticule {

namespace {

int64_t floor_divide(int64_t a, int64_t b) { return a / b - (a % b < 0); }

// Days of all years from year 1 up to the one before `year`.
int64_t days_before(Calendar calendar, int64_t year) {
  const int64_t past = year - 1, fourths = floor_divide(past, 4);
  switch (calendar) {
    case Calendar::gregorian:
    case Calendar::none:
      return 365 * past + fourths - floor_divide(past, 100) + floor_divide(past, 400);
    case Calendar::julian:
      return 365 * past + fourths;
    case Calendar::noleap:
      return 365 * past;
    case Calendar::all_leap:
      return 366 * past;
    case Calendar::days_360:
      return 360 * past;
  }
  return 0;
}

int days_of_month(Calendar calendar, int64_t year, int month) {
  static constexpr std::array<int, 12> days = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (calendar == Calendar::days_360) return 30;
  const bool leap = days_before(calendar, year + 1) - days_before(calendar, year) == 366;
  return days[static_cast<size_t>(month - 1)] + (leap && month == 2 ? 1 : 0);
}

}  // namespace

std::string_view name_of(Calendar calendar) {
  static constexpr std::array<std::string_view, 6> names = {
      "proleptic_gregorian", "julian", "noleap", "all_leap", "360_day", "none"};
  return names[static_cast<size_t>(calendar)];
}

std::optional<Calendar> calendar_named(std::string_view word) {
  static const std::map<std::string_view, Calendar> known = {
      {"", Calendar::gregorian},          {"standard", Calendar::gregorian},
      {"gregorian", Calendar::gregorian}, {"proleptic_gregorian", Calendar::gregorian},
      {"julian", Calendar::julian},       {"noleap", Calendar::noleap},
      {"365_day", Calendar::noleap},      {"all_leap", Calendar::all_leap},
      {"366_day", Calendar::all_leap},    {"360_day", Calendar::days_360}};
  const auto found = known.find(word);
  return found == known.end() ? std::nullopt : std::optional(found->second);
}

bool has_day(Calendar calendar, const CalendarDay& date) {
  return date.month >= 1 && date.month <= 12 && date.day >= 1 &&
         date.day <= days_of_month(calendar, date.year, date.month);
}

int64_t days_of(Calendar calendar, const CalendarDay& date) {
  int64_t days = days_before(calendar, date.year) - days_before(calendar, 1970) + date.day - 1;
  for (int month = 1; month < date.month; ++month) days += days_of_month(calendar, date.year, month);
  return days;
}

CalendarDay date_of(Calendar calendar, int64_t days) {
  const int64_t count = days + days_before(calendar, 1970);
  CalendarDay date{static_cast<int64_t>(std::floor(static_cast<double>(count) / mean_year(calendar))) + 1};
  while (days_before(calendar, date.year) > count) --date.year;
  while (days_before(calendar, date.year + 1) <= count) ++date.year;
  int64_t rest = count - days_before(calendar, date.year);
  for (; rest >= days_of_month(calendar, date.year, date.month); ++date.month)
    rest -= days_of_month(calendar, date.year, date.month);
  date.day = static_cast<int>(rest) + 1;
  return date;
}

int longest_year(Calendar calendar) {
  return calendar == Calendar::noleap ? 365 : calendar == Calendar::days_360 ? 360 : 366;
}

double mean_year(Calendar calendar) {
  static constexpr std::array<double, 6> days = {365.2425, 365.25, 365, 366, 360, 365.2425};
  return days[static_cast<size_t>(calendar)];
}

int64_t in_gregorian_season(Calendar calendar, int64_t seconds) {
  constexpr int64_t day = 86400;
  const int64_t days = floor_divide(seconds, day);
  const double stretch = mean_year(Calendar::gregorian) / mean_year(calendar);
  return std::llround(static_cast<double>(days) * stretch) * day + seconds - days * day;
}

}  // namespace graticule
