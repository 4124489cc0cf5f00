#include "graticule/data/time.h"

#include <array>
#include <cctype>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <map>
#include <optional>
#include <sstream>

#include "graticule/core/error.h"
#include "graticule/data/cf.h"

namespace graticule {

namespace {

constexpr int64_t day_seconds = 86400;

struct Civil {
  int year = 0;
  unsigned month = 1, day = 1;
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

std::optional<Civil> parse_civil(std::string_view rest) {
  Civil civil;
  if (!take(rest, civil.year) || !take(rest, '-') || !take(rest, civil.month) || !take(rest, '-') ||
      !take(rest, civil.day)) {
    return std::nullopt;
  }
  if (rest.size() > 1 && (rest[0] == 'T' || rest[0] == ' ') && rest[1] >= '0' && rest[1] <= '9') {
    rest.remove_prefix(1);
    civil.has_clock = true;
    if (!take(rest, civil.hour)) return std::nullopt;
    if (take(rest, ':') && !take(rest, civil.minute)) return std::nullopt;
    if (take(rest, ':') && !take(rest, civil.second)) return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year(civil.year), std::chrono::month(civil.month),
                                         std::chrono::day(civil.day)};
  const bool in_range = date.ok() && civil.hour >= 0 && civil.hour < 24 && civil.minute >= 0 &&
                        civil.minute < 60 && civil.second >= 0 && civil.second < 60;
  return in_range && is_utc(rest) ? std::optional(civil) : std::nullopt;
}

int64_t seconds_of(const Civil& civil) {
  const std::chrono::sys_days date =
      std::chrono::year(civil.year) / std::chrono::month(civil.month) / std::chrono::day(civil.day);
  return date.time_since_epoch().count() * day_seconds + civil.hour * 3600 + civil.minute * 60 +
         static_cast<int64_t>(civil.second);
}

Civil parse_or_refuse(std::string_view text) {
  // This strict form needs two-digit months, days and hours; the origins of CF units do not.
  const bool padded = text.size() >= 10 && text[4] == '-' && text[7] == '-' &&
                      (text.size() == 10 || (text.size() >= 13 && (text[10] == 'T' || text[10] == ' ')));
  const std::optional<Civil> civil = padded ? parse_civil(text) : std::nullopt;
  if (!civil || civil->second != static_cast<int>(civil->second) || (text.size() > 10 && !civil->has_clock)) {
    refuse("time", "'", text, "' is no time: write 2001-01-31, 2001-01-31T06 or 2001-01-31T06:30:00 (UTC)");
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

std::chrono::sys_days day_of(int64_t seconds) {
  return std::chrono::floor<std::chrono::days>(std::chrono::sys_seconds(std::chrono::seconds(seconds)));
}

int64_t second_of_day(int64_t seconds) {
  return seconds - day_of(seconds).time_since_epoch().count() * day_seconds;
}

}  // namespace

int64_t parse_time(std::string_view text) { return seconds_of(parse_or_refuse(text)); }

std::string format_time(int64_t seconds) {
  const std::chrono::year_month_day date{day_of(seconds)};
  const auto clock = static_cast<int>(second_of_day(seconds));
  std::array<char, 48> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock / 3600,
                clock / 60 % 60, clock % 60);
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
  const std::string small = with_single_blanks(lower(units));
  const size_t at = small.find(since);
  if (at == std::string::npos)
    refuse("time", "units '", units, "': expected 'hours since 1900-01-01' or similar");
  const auto unit = known.find(std::string_view(small).substr(0, at));
  if (unit == known.end()) {
    refuse("time", "units '", units, "': ", small.substr(0, at),
           " have no fixed length; known are days, hours, minutes, seconds and their thousandths");
  }
  const std::string rule = lower(calendar);
  const bool proleptic = rule == "proleptic_gregorian";
  if (!proleptic && !rule.empty() && rule != "standard" && rule != "gregorian") {
    refuse("time", "calendar '", calendar,
           "': known are standard, gregorian and proleptic_gregorian; convert the times first");
  }
  const std::optional<Civil> origin = parse_civil(upper_t(small.substr(at + since.size())));
  if (!origin) refuse("time", "units '", units, "': the origin is no date and time in UTC");
  const int64_t seconds = seconds_of(*origin);
  constexpr int64_t reform = -12219292800;  // 1582-10-15; before it, the standard calendar is Julian
  if (!proleptic && seconds < reform) {
    refuse("time", "units '", units,
           "': an origin before 1582-10-15 is known in the calendar proleptic_gregorian only");
  }
  return {unit->second, seconds};
}

int day_of_year(int64_t seconds) {
  const std::chrono::sys_days today = day_of(seconds);
  const std::chrono::sys_days first =
      std::chrono::year_month_day(today).year() / std::chrono::January / std::chrono::day(1);
  return static_cast<int>((today - first).count()) + 1;
}

int hour_of_day(int64_t seconds) { return static_cast<int>(second_of_day(seconds) / 3600); }

TimeRange parse_time_range(std::string_view begin, std::string_view end) {
  const Civil last = parse_or_refuse(end);
  const TimeRange range{parse_time(begin), seconds_of(last) + (last.has_clock ? 0 : day_seconds - 1)};
  if (range.end < range.begin)
    refuse("time", "the range from ", begin, " to ", end, " is empty: swap its ends");
  return range;
}

}  // namespace graticule
