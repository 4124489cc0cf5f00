#include "graticule/data/declared_times.h"

#include <algorithm>
#include <stdexcept>

#include "graticule/core/error.h"
#include "graticule/data/cf.h"

namespace graticule {

DeclaredTimes declared_times(const nlohmann::json& attributes, Calendar calendar,
                             const std::string& where) try {
  DeclaredTimes declared;
  const std::string start = text_attribute(attributes, "valid_time_start");
  const std::string stop = text_attribute(attributes, "valid_time_stop");
  if (!start.empty()) declared.range.begin = parse_time(start, calendar);
  if (!stop.empty()) declared.range.end = parse_time_range(start.empty() ? stop : start, stop, calendar).end;
  const auto missing = attributes.find("missing_dates");
  if (missing == attributes.end() || !missing->is_array()) return declared;
  for (const nlohmann::json& date : *missing) {
    if (date.is_string()) declared.missing.insert(parse_time(date.get<std::string>(), calendar));
  }
  return declared;
} catch (const std::invalid_argument& error) {
  refuse(
      "source", where,
      ": its attributes valid_time_start, valid_time_stop and missing_dates must be times: ", error.what());
}

std::string note_of_undeclared(const DeclaredTimes& declared, const std::vector<int64_t>& times,
                               Calendar calendar, const std::string& where) {
  const auto held = std::count_if(times.begin(), times.end(), [&](int64_t t) { return declared.holds(t); });
  const int64_t left_out = std::ssize(times) - held;
  if (left_out == 0) return "";
  const auto outside = std::count_if(times.begin(), times.end(), [&](int64_t t) {
    return t < declared.range.begin || t > declared.range.end;
  });
  std::string note = text(where, ": ", left_out, " of ", times.size(), " times are left out: ");
  if (outside > 0) {
    const int64_t first = std::max(declared.range.begin, *std::min_element(times.begin(), times.end()));
    const int64_t last = std::min(declared.range.end, *std::max_element(times.begin(), times.end()));
    note += text("the store declares data from ", format_time(first, calendar), " to ",
                 format_time(last, calendar));
  }
  if (outside < left_out)
    note += text(outside > 0 ? ", and " : "the store ", "lists ", left_out - outside, " as missing");
  return note;
}

}  // namespace graticule
