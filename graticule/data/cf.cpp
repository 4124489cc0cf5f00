#include "graticule/data/cf.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <map>
#include <set>
#include <string>

namespace graticule {

namespace {

using Words = std::set<std::string_view>;

const Words north = {"degrees_north", "degree_north", "degree_n", "degrees_n", "degreen", "degreesn"};
const Words east = {"degrees_east", "degree_east", "degree_e", "degrees_e", "degreee", "degreese"};
const Words hectopascal = {"hpa", "millibar",    "millibars",    "mbar",
                           "mb",  "hectopascal", "hectopascals", "mbars"};
const Words pascal = {"pa", "pascal", "pascals"};
const Words latitude_names = {"lat", "latitude"};
const Words longitude_names = {"lon", "longitude", "long"};
const Words level_names = {"level", "pressure_level", "plev", "isobaricinhpa", "pressure",
                           "lev",   "air_pressure"};
const Words lead_names = {"step", "lead", "lead_time", "leadtime", "prediction_timedelta", "forecast_period"};
const std::map<std::string_view, double> lead_seconds = {
    {"hours", 3600},        {"hour", 3600},       {"h", 3600},    {"days", 86400},
    {"day", 86400},         {"minutes", 60},      {"minute", 60}, {"min", 60},
    {"seconds", 1},         {"second", 1},        {"s", 1},       {"milliseconds", 1e-3},
    {"microseconds", 1e-6}, {"nanoseconds", 1e-9}};

// Whether an axis only looks like latitude, longitude or pressure by its units or name: axes of a rotated
// pole or a map projection, model levels, heights.
bool is_other_axis(const nlohmann::json& attributes) {
  if (attributes.contains("formula_terms")) return true;
  const std::string standard = lower(text_attribute(attributes, "standard_name"));
  const std::string name = lower(text_attribute(attributes, "long_name"));
  for (const char* word : {"grid_latitude", "grid_longitude", "projection_", "hybrid", "sigma", "model_level",
                           "ocean_", "height", "altitude", "depth"}) {
    if (standard.find(word) != std::string::npos) return true;
  }
  for (const char* word : {"hybrid", "sigma", "model level", "model_level", "rotated"}) {
    if (name.find(word) != std::string::npos) return true;
  }
  return false;
}

// Whether the values count model levels: 1, 2, 3, 4, ... Pressure levels are never 1 apart, except 1, 2, 3
// hPa.
bool counts_levels(const std::vector<double>& values) {
  constexpr size_t enough = 3;
  if (std::all_of(values.begin(), values.end(), [](double level) { return level <= 3; })) return false;
  size_t steps = 0;
  for (size_t i = 1; i < values.size(); ++i)
    steps += std::abs(std::abs(values[i] - values[i - 1]) - 1) < 1e-9;
  return values.size() >= enough && steps + 1 == values.size();
}

}  // namespace

std::string lower(std::string_view text) {
  std::string small(text);
  for (char& letter : small) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  return small;
}

std::string text_attribute(const nlohmann::json& attributes, const char* name) {
  const auto found = attributes.find(name);
  if (found == attributes.end() || !found->is_string()) return "";
  const auto& text = found->get_ref<const std::string&>();
  const size_t begin = text.find_first_not_of(" \t\n"), end = text.find_last_not_of(" \t\n");
  return begin == std::string::npos ? "" : text.substr(begin, end - begin + 1);
}

Coordinate coordinate_of(std::string_view name, const nlohmann::json& attributes) {
  if (is_other_axis(attributes)) return Coordinate::none;
  const std::string units = lower(text_attribute(attributes, "units"));
  const std::string standard = lower(text_attribute(attributes, "standard_name"));
  const std::string word = lower(name);
  if (north.contains(units)) return Coordinate::latitude;
  if (east.contains(units)) return Coordinate::longitude;
  if (hectopascal.contains(units) || pascal.contains(units)) return Coordinate::level;
  if (units.find(" since ") != std::string::npos || units.find(" as %y") != std::string::npos)
    return Coordinate::time;
  if (standard == "forecast_period" || (lead_names.contains(word) && lead_seconds.contains(units)))
    return Coordinate::lead;
  // A coordinate with any other unit (metres of a projection, model levels) is none of the known ones,
  // whatever its name.
  if (!units.empty() && units != "degrees" && units != "degree") return Coordinate::none;
  if (standard == "latitude" || latitude_names.contains(word)) return Coordinate::latitude;
  if (standard == "longitude" || longitude_names.contains(word)) return Coordinate::longitude;
  if (units.empty() && (standard == "air_pressure" || level_names.contains(word))) return Coordinate::level;
  return Coordinate::none;
}

int validity_of(std::string_view name, const nlohmann::json& attributes) {
  const std::string standard = lower(text_attribute(attributes, "standard_name"));
  if (standard == "forecast_reference_time") return 0;
  if (standard == "time" || name == "valid_time") return surely_valid;
  return lower(name) == "time" ? 2 : 1;
}

bool is_level_name(std::string_view name, const nlohmann::json& attributes) {
  return level_names.contains(lower(name)) ||
         lower(text_attribute(attributes, "standard_name")) == "air_pressure";
}

bool is_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto first = static_cast<unsigned char>(text[i]);
    const size_t more = first < 0x80       ? 0
                        : first >> 5 == 6  ? 1
                        : first >> 4 == 14 ? 2
                        : first >> 3 == 30 ? 3
                                           : 4;
    if (more == 4 || i + more >= text.size()) return false;
    for (size_t k = 0; k < more; ++k) {
      if (static_cast<unsigned char>(text[++i]) >> 6 != 2) return false;
    }
  }
  return true;
}

std::optional<std::vector<double>> levels_in_hectopascal(const std::vector<double>& values,
                                                         std::string_view units) {
  const std::string word = lower(units);
  std::vector<double> levels = values;
  if (pascal.contains(word)) {
    for (double& level : levels) level /= 100;
  } else if (!hectopascal.contains(word)) {
    constexpr double highest_pressure = 1100;
    const bool usual = std::all_of(values.begin(), values.end(),
                                   [](double level) { return level > 0 && level <= highest_pressure; });
    if (!usual || counts_levels(values)) return std::nullopt;
  }
  return levels;
}

double seconds_in_lead_unit(std::string_view units) {
  const auto found = lead_seconds.find(units);
  return found == lead_seconds.end() ? 0 : found->second;
}

std::string name_at_level(std::string_view name, double level) {
  const double whole = std::round(level);
  std::array<char, 32> number{};
  std::snprintf(number.data(), number.size(), "%.6g", std::abs(level - whole) < 1e-3 ? whole : level);
  return std::string(name) + "@" + number.data();
}

}  // namespace graticule
