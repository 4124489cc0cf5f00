#include "graticule/train/sample_labels.h"

#include <charconv>
#include <fstream>
#include <limits>
#include <optional>

#include "graticule/core/error.h"
#include "graticule/train/ranges.h"

namespace graticule {

namespace {

std::optional<float> number_in(const std::string& text) {
  float value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

TimeRange times_of(const std::string& sample, const Catalog& catalog, const std::string& where) {
  if (catalog.calendar == Calendar::none) return times_named({sample}, catalog, where);
  return times_named({sample, sample}, catalog, where);
}

}  // namespace

std::vector<float> read_sample_labels(const std::string& path, const Catalog& catalog) {
  std::ifstream file(path);
  if (!file) refuse("task", "task.labels = \"", path, "\" cannot be read: name a file of lines sample,value");
  std::vector<float> values(catalog.times.size(), std::numeric_limits<float>::quiet_NaN());
  int64_t line = 0;
  for (std::string text_of; std::getline(file, text_of);) {
    ++line;
    if (!text_of.empty() && text_of.back() == '\r') text_of.pop_back();
    if (text_of.empty()) continue;
    const size_t comma = text_of.rfind(',');
    const auto value = comma == std::string::npos ? std::nullopt : number_in(text_of.substr(comma + 1));
    if (!value && line == 1) continue;  // a heading
    const std::string where = text(path, ", line ", line);
    if (!value) refuse("task", where, ": '", text_of, "' is not understood; write sample,value, such as 7,1");
    const TimeRange times = times_of(text_of.substr(0, comma), catalog, where);
    for (size_t i = 0; i < values.size(); ++i) {
      if (times.holds(catalog.times[i])) values[i] = *value;
    }
  }
  return values;
}

}  // namespace graticule
