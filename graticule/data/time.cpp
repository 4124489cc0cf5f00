#include "graticule/data/time.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>
#include <optional>
#include <sstream>
#include <tuple>

#include "graticule/core/error.h"
#include "graticule/data/cf.h"

namespace graticule {

namespace {

constexpr int64_t day_seconds = 86400;

struct Civil {
  CalendarDay date;
  int hour = 0, minute = 0;
  double second = 0;
  bool has_clock = false;
};

// Takes a number from the front of `rest`. Returns false when there is none.
template <class Number>
bool take(std::string_view& rest, Number& number) {
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
  if (error != std::errc()) return false;
  rest.remove_prefix(static_cast<size_t>(end - rest.data()));
  return true;
}

bool take(std::string_view& rest, char letter) {
  if (!rest.starts_with(letter)) return false;
  rest.remove_prefix(1);
  return true;
}

// Whether the zone at the end of a time is UTC: nothing, Z, UTC, GMT or an offset of zero.
bool is_utc(std::string_view zone) {
  while (zone.starts_with(' ')) zone.remove_prefix(1);
  while (zone.ends_with(' ')) zone.remove_suffix(1);
  return zone.empty() || zone == "Z" || zone == "UTC" || zone == "GMT" || zone == "+00:00" ||
         zone == "+0000" || zone == "+00" || zone == "+0:00" || zone == "-00:00" || zone == "0:00" ||
         zone == "00:00";
}

// The parts of a time. Whether a calendar has the day is left open.
std::optional<Civil> parse_civil(std::string_view rest) {
  Civil civil;
  CalendarDay& date = civil.date;
  if (!take(rest, date.year) || !take(rest, '-') || !take(rest, date.month) || !take(rest, '-') ||
      !take(rest, date.day)) {
    return std::nullopt;
  }
  constexpr int64_t last_year = 99'999;  // of any data; a larger one overflows the seconds
  if (date.year < -last_year || date.year > last_year) return std::nullopt;
  if (rest.size() > 1 && (rest[0] == 'T' || rest[0] == ' ') && rest[1] >= '0' && rest[1] <= '9') {
    rest.remove_prefix(1);
    civil.has_clock = true;
    if (!take(rest, civil.hour)) return std::nullopt;
    if (take(rest, ':') && !take(rest, civil.minute)) return std::nullopt;
    if (take(rest, ':') && !take(rest, civil.second)) return std::nullopt;
  }
  const bool in_range = civil.hour >= 0 && civil.hour < 24 && civil.minute >= 0 && civil.minute < 60 &&
                        civil.second >= 0 && civil.second < 60;
  return in_range && is_utc(rest) ? std::optional(civil) : std::nullopt;
}

int64_t seconds_of(const Civil& civil, Calendar calendar) {
  return days_of(calendar, civil.date) * day_seconds + civil.hour * 3600 + civil.minute * 60 +
         static_cast<int64_t>(civil.second);
}

Civil parse_or_refuse(std::string_view text, Calendar calendar) {
  // This strict form needs two-digit months, days and hours; the origins of CF units do not.
  const bool padded = text.size() >= 10 && text[4] == '-' && text[7] == '-' &&
                      (text.size() == 10 || (text.size() >= 13 && (text[10] == 'T' || text[10] == ' ')));
  const std::optional<Civil> civil = padded ? parse_civil(text) : std::nullopt;
  if (!civil || civil->second != static_cast<int>(civil->second) || (text.size() > 10 && !civil->has_clock)) {
    refuse("time", "'", text, "' is no time: write 2001-01-31, 2001-01-31T06 or 2001-01-31T06:30:00 (UTC)");
  }
  if (!has_day(calendar, civil->date)) {
    refuse("time", "'", text, "' is no day of the calendar ", name_of(calendar),
           calendar == Calendar::gregorian  ? ": write one that exists"
           : calendar == Calendar::days_360 ? ", whose months have 30 days: write one that exists"
                                            : " of the data: write one that exists");
  }
  return *civil;
}

std::string with_single_blanks(const std::string& text) {
  std::istringstream words(text);
  std::string joined;
  for (std::string word; words >> word;) joined += (joined.empty() ? "" : " ") + word;
  return joined;
}

// In capitals, as parse_civil expects the letters T, Z and UTC.
std::string upper_t(std::string text) {
  for (char& letter : text) letter = static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  return text;
}

int64_t day_of(int64_t seconds) { return seconds / day_seconds - (seconds % day_seconds < 0); }

int64_t second_of_day(int64_t seconds) { return seconds - day_of(seconds) * day_seconds; }

constexpr CalendarDay reform{1582, 10, 15};  // before it, the standard calendar is Julian

bool before_reform(const CalendarDay& date) {
  return std::tie(date.year, date.month, date.day) < std::tie(reform.year, reform.month, reform.day);
}

// The origin of the standard calendar: a Julian date before the reform, on the count of Gregorian days. The
// day before 1582-10-15 was the Julian 1582-10-04.
std::optional<int64_t> standard_days_of(const CalendarDay& date) {
  if (!before_reform(date))
    return has_day(Calendar::gregorian, date) ? std::optional(days_of(Calendar::gregorian, date))
                                              : std::nullopt;
  const int64_t before = days_of(Calendar::julian, {1582, 10, 4}) - days_of(Calendar::julian, date);
  if (!has_day(Calendar::julian, date) || before < 0 || date.year == 0) return std::nullopt;
  return days_of(Calendar::gregorian, reform) - 1 - before;
}

// The calendar of a CF attribute, in small letters.
Calendar calendar_or_refuse(const std::string& word) {
  const std::optional<Calendar> found = calendar_named(word);
  if (found) return *found;
  refuse("time", "calendar '", word,
         "': known are standard, gregorian, proleptic_gregorian, julian, noleap (365_day), all_leap "
         "(366_day) and 360_day; convert the times first");
}

// Times before the reform are Julian dates in the standard calendar, which the program does not know.
int64_t earliest_in(Calendar calendar, const std::string& word) {
  const bool standard = calendar == Calendar::gregorian && word != name_of(Calendar::gregorian);
  return standard ? days_of(calendar, reform) * day_seconds : std::numeric_limits<int64_t>::min();
}

// 20010131.25: a day and the part of it that has passed.
int64_t time_of_date(double value, const TimeUnits& units) {
  constexpr double last = 99'991'231;  // of year 9999
  const double whole = std::floor(std::clamp(value, -1.0, last + 1));
  const auto digits = static_cast<int64_t>(whole);
  const CalendarDay date{digits / 10000, static_cast<int>(digits / 100 % 100),
                         static_cast<int>(digits % 100)};
  if (whole < 0 || whole > last || !has_day(units.calendar, date))
    refuse("time", "the date ", digits, " is no day of the calendar ", name_of(units.calendar));
  return days_of(units.calendar, date) * day_seconds + std::llround((value - whole) * day_seconds);
}

// "7" or "7:3", a sample and its step.
int64_t parse_number(std::string_view number) {
  std::string_view rest = number;
  int64_t sample = 0, step = 0;
  constexpr int64_t most = int64_t{1} << 20;
  const bool good =
      take(rest, sample) && (rest.empty() || (take(rest, ':') && take(rest, step) && rest.empty()));
  if (!good || sample < 0 || sample >= most || step < 0 || step >= most)
    refuse("time", "'", number, "' is no sample: write its number, such as 7, or 7:3 for its step 3");
  return time_of_sample(sample, step);
}

}  // namespace

int64_t parse_time(std::string_view text, Calendar calendar) {
  if (calendar == Calendar::none) return parse_number(text);
  return seconds_of(parse_or_refuse(text, calendar), calendar);
}

std::string format_time(int64_t seconds, Calendar calendar) {
  if (calendar == Calendar::none) {
    const int64_t sample = sample_of_time(seconds), step = (seconds - time_of_sample(sample)) / 3600;
    return text("sample ", sample, step > 0 ? text(", step ", step) : "");
  }
  const CalendarDay date = date_of(calendar, day_of(seconds));
  const auto clock = static_cast<int>(second_of_day(seconds));
  std::array<char, 64> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%04d-%02d-%02dT%02d:%02d:%02d", static_cast<int>(date.year),
                date.month, date.day, clock / 3600, clock / 60 % 60, clock % 60);
  return buffer.data();
}

TimeUnits parse_time_units(std::string_view units, std::string_view calendar) {
  static const std::map<std::string_view, double> known = {{"second", 1},
                                                           {"seconds", 1},
                                                           {"sec", 1},
                                                           {"secs", 1},
                                                           {"s", 1},
                                                           {"minute", 60},
                                                           {"minutes", 60},
                                                           {"min", 60},
                                                           {"mins", 60},
                                                           {"hour", 3600},
                                                           {"hours", 3600},
                                                           {"hr", 3600},
                                                           {"hrs", 3600},
                                                           {"h", 3600},
                                                           {"day", day_seconds},
                                                           {"days", day_seconds},
                                                           {"d", day_seconds},
                                                           {"millisecond", 1e-3},
                                                           {"milliseconds", 1e-3},
                                                           {"microsecond", 1e-6},
                                                           {"microseconds", 1e-6},
                                                           {"nanosecond", 1e-9},
                                                           {"nanoseconds", 1e-9}};
  constexpr std::string_view since = " since ";
  const std::string small = with_single_blanks(lower(units)), rule = lower(calendar);
  if (small == "day as %y%m%d.%f") {
    const Calendar days = calendar_or_refuse(rule);
    return {day_seconds, 0, days, earliest_in(days, rule), true};
  }
  const size_t at = small.find(since);
  if (at == std::string::npos)
    refuse(
        "time", "units '", units,
        "': expected 'hours since 1900-01-01', 'day as %Y%m%d.%f' or similar (`cdo -r copy` rewrites times)");
  const auto unit = known.find(std::string_view(small).substr(0, at));
  const Calendar found = calendar_or_refuse(rule);
  const std::string_view word = std::string_view(small).substr(0, at);
  const bool months = found == Calendar::days_360 && (word == "months" || word == "month");
  if (unit == known.end() && !months) {
    refuse("time", "units '", units, "': ", small.substr(0, at),
           " have no fixed length; known are days, hours, minutes, seconds and their thousandths");
  }
  const std::optional<Civil> origin = parse_civil(upper_t(small.substr(at + since.size())));
  const int64_t earliest = earliest_in(found, rule);
  const bool standard = earliest != std::numeric_limits<int64_t>::min();
  std::optional<int64_t> days;
  if (origin && standard) days = standard_days_of(origin->date);
  if (origin && !standard && has_day(found, origin->date)) days = days_of(found, origin->date);
  if (!days)
    refuse("time", "units '", units, "': the origin is no date and time in UTC of the calendar ",
           rule.empty() ? "standard" : rule);
  TimeUnits read{months ? 30.0 * day_seconds : unit->second, 0, found, earliest};
  const int64_t first = days_of(found, origin->date);
  read.origin = seconds_of(*origin, found) + (*days - first) * day_seconds;
  return read;
}

int64_t time_of(double value, const TimeUnits& units, double precision) {
  if (units.dates) return time_of_date(value, units);
  const double seconds = value * units.seconds_a_unit;
  const double error = std::abs(seconds) * precision;
  for (const int64_t round : {3600, 600, 60}) {
    const int64_t near = std::llround(static_cast<double>(units.origin % round + seconds) / round) * round -
                         units.origin % round;
    if (error > 0.5 && std::abs(static_cast<double>(near) - seconds) <= error) return units.origin + near;
  }
  return units.origin + std::llround(seconds);
}

int day_of_year(int64_t seconds, Calendar calendar) {
  const int64_t today = day_of(seconds);
  return static_cast<int>(today - days_of(calendar, {date_of(calendar, today).year, 1, 1})) + 1;
}

int hour_of_day(int64_t seconds) { return static_cast<int>(second_of_day(seconds) / 3600); }

bool TimeRange::holds(int64_t time) const {
  return time >= begin && time <= end &&
         (samples.empty() || std::binary_search(samples.begin(), samples.end(), sample_of_time(time)));
}

TimeRange parse_time_range(std::string_view begin, std::string_view end, Calendar calendar) {
  if (calendar == Calendar::none) {
    const TimeRange range{parse_time(begin, calendar), parse_time(end, calendar)};
    if (range.end < range.begin) refuse("time", "no sample from ", begin, " to ", end, ": swap the two");
    return {range.begin, end.find(':') == end.npos ? range.end + sample_seconds - 1 : range.end};
  }
  const Civil last = parse_or_refuse(end, calendar);
  TimeRange range{parse_time(begin, calendar),
                  seconds_of(last, calendar) + (last.has_clock ? 0 : day_seconds - 1)};
  if (range.end < range.begin)
    refuse("time", "the range from ", begin, " to ", end, " is empty: swap its ends");
  return range;
}

}  // namespace graticule
