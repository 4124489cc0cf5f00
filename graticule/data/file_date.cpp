#include "graticule/data/file_date.h"

#include <regex>
#include <string_view>

#include "graticule/core/error.h"
#include "graticule/data/time.h"

namespace graticule {

namespace {

constexpr std::string_view known = "YmdjHMS";

[[noreturn]] void refuse_pattern(const std::string& pattern, const std::string& why) {
  refuse(
      "data", "data.date_pattern = \"", pattern, "\" ", why,
      ": write the name of a file with %Y, %m, %d, %j (day of the year), %H, %M, %S in place of its date, and * for "
      "any text");
}

// The pattern as a regular expression with a group for each of `fields`, which are letters of `known`.
std::regex expression_of(const std::string& pattern, std::string& fields) {
  std::string expression;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char letter = pattern[i];
    if (letter == '*') {
      expression += ".*?";
    } else if (letter != '%') {
      expression +=
          std::string(std::string_view("\\^$.|?+()[]{}").find(letter) != std::string_view::npos ? "\\" : "") +
          letter;
    } else {
      const char field = ++i < pattern.size() ? pattern[i] : '%';
      if (known.find(field) == std::string_view::npos) refuse_pattern(pattern, text("has %", field));
      if (fields.find(field) != std::string::npos) refuse_pattern(pattern, text("has %", field, " twice"));
      fields += field;
      expression += field == 'Y' ? "([0-9]{4})" : field == 'j' ? "([0-9]{3})" : "([0-9]{2})";
    }
  }
  return std::regex(expression);
}

}  // namespace

int64_t date_in_name(const std::string& path, const std::string& pattern) {
  std::string fields;
  const std::regex expression = expression_of(pattern, fields);
  const auto has = [&](char field) { return fields.find(field) != std::string::npos; };
  if (!has('Y')) refuse_pattern(pattern, "has no year");
  if ((has('d') && !has('m')) || (has('j') && (has('m') || has('d'))))
    refuse_pattern(pattern, "has a day that is neither of a month (%m, %d) nor of a year (%j)");
  const bool whole = pattern.find('/') != std::string::npos;
  const std::string name = whole ? path : path.substr(path.rfind('/') + 1);
  std::smatch match;
  if (!std::regex_match(name, match, expression))
    refuse("data", "the file ", path, " does not match data.date_pattern = \"", pattern,
           "\": correct the pattern, or leave the file out by data.path");
  const auto part = [&](char field, const char* otherwise) {
    return has(field) ? match[fields.find(field) + 1].str() : std::string(otherwise);
  };
  const std::string date = text(part('Y', ""), "-", part('m', "01"), "-", part('d', "01"), "T",
                                part('H', "00"), ":", part('M', "00"), ":", part('S', "00"));
  try {
    constexpr int64_t day = 86'400;
    const int64_t time = parse_time(date) + (std::stoll(part('j', "001")) - 1) * day;
    const std::string year = format_time(time).substr(0, 4);
    if (year == part('Y', "") && part('j', "001") != "000") return time;
  } catch (const std::invalid_argument&) {
  }
  refuse("data", "the file ", path, " has no date that there is: data.date_pattern = \"", pattern,
         "\" finds ", has('j') ? text("day ", part('j', ""), " of ", part('Y', "")) : date,
         ": rename the file, or correct the pattern");
}

}  // namespace graticule
