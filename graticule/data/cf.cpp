#include "graticule/data/cf.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <map>
#include <set>
#include <string>

#include "graticule/data/units.h"

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
  if (units.find(" since ") != std::string::npos) return Coordinate::time;
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

namespace {

// Short names that other institutions use for other things. To be translated, a variable must have one of
// `units` (if it has units), and a standard name that contains `standard` (if it has one).
struct Meaning {
  std::vector<std::string_view> units;
  std::string_view standard;  // a part of the standard name
  std::string_view not_units = {};
};

bool means_something_else(std::string_view name, const nlohmann::json& attributes) {
  static const std::map<std::string_view, Meaning> ours = {
      {"z", {{}, "geopotential", "m"}},  // z in m is the sea floor or the height of a level
      {"vo", {{"s-1"}, "vorticity"}},
      {"d", {{"s-1"}, "divergence"}},
      {"w", {{"Pa s-1"}, "air_pressure"}},
      {"t", {{"K", "degC"}, "temperature"}},
      {"u", {{"m s-1"}, "wind"}},
      {"v", {{"m s-1"}, "wind"}},
      {"q", {{"kg kg-1", "1", "g kg-1"}, "humidity"}},
      {"r", {{"%", "1"}, "humidity"}},
      {"pv", {{}, "potential_vorticity"}},
      {"ci", {{"1", "%"}, "ice"}},
      {"cl", {{"1"}, "lake"}},
      {"dl", {{"m"}, "lake"}},
      {"sd", {{"m", "m of water equivalent"}, "snow"}},
      {"cc", {{"1", "%"}, "cloud"}}};
  const auto found = ours.find(name);
  if (found == ours.end()) return false;
  const auto& [allowed, part, forbidden] = found->second;
  const std::string units = text_attribute(attributes, "units");
  const std::string standard = lower(text_attribute(attributes, "standard_name"));
  const bool is_allowed =
      allowed.empty() || units == "~" ||
      std::any_of(allowed.begin(), allowed.end(), [&](auto u) { return same_units(std::string(u), units); });
  const bool other_units = !units.empty() && (!is_allowed || units == forbidden);
  return other_units ||
         (!standard.empty() && standard != "unknown" && standard.find(part) == std::string::npos);
}

}  // namespace

std::string long_name_of(std::string_view name, bool has_levels, const nlohmann::json& attributes) {
  if (means_something_else(name, attributes)) return std::string(name);
  static const std::map<std::string_view, std::string_view> names = {
      {"t", "temperature"},
      {"u", "u_component_of_wind"},
      {"v", "v_component_of_wind"},
      {"q", "specific_humidity"},
      {"r", "relative_humidity"},
      {"w", "vertical_velocity"},
      {"vo", "vorticity"},
      {"d", "divergence"},
      {"pv", "potential_vorticity"},
      {"o3", "ozone_mass_mixing_ratio"},
      {"cc", "fraction_of_cloud_cover"},
      {"clwc", "specific_cloud_liquid_water_content"},
      {"ciwc", "specific_cloud_ice_water_content"},
      {"crwc", "specific_rain_water_content"},
      {"cswc", "specific_snow_water_content"},
      {"t2m", "2m_temperature"},
      {"d2m", "2m_dewpoint_temperature"},
      {"u10", "10m_u_component_of_wind"},
      {"v10", "10m_v_component_of_wind"},
      {"u100", "100m_u_component_of_wind"},
      {"v100", "100m_v_component_of_wind"},
      {"sp", "surface_pressure"},
      {"msl", "mean_sea_level_pressure"},
      {"tp", "total_precipitation"},
      {"tisr", "toa_incident_solar_radiation"},
      {"ssrd", "surface_solar_radiation_downwards"},
      {"strd", "surface_thermal_radiation_downwards"},
      {"lsm", "land_sea_mask"},
      {"sst", "sea_surface_temperature"},
      {"skt", "skin_temperature"},
      {"siconc", "sea_ice_cover"},
      {"ci", "sea_ice_cover"},
      {"sd", "snow_depth"},
      {"slt", "soil_type"},
      {"cl", "lake_cover"},
      {"dl", "lake_depth"},
      {"cvh", "high_vegetation_cover"},
      {"cvl", "low_vegetation_cover"},
      {"tvh", "type_of_high_vegetation"},
      {"tvl", "type_of_low_vegetation"},
      {"sdor", "standard_deviation_of_orography"},
      {"sdfor", "standard_deviation_of_filtered_subgrid_orography"},
      {"anor", "angle_of_sub_gridscale_orography"},
      {"isor", "anisotropy_of_sub_gridscale_orography"},
      {"slor", "slope_of_sub_gridscale_orography"},
      {"swvl1", "volumetric_soil_water_layer_1"},
      {"stl1", "soil_temperature_level_1"},
      {"tcc", "total_cloud_cover"},
      {"tcw", "total_column_water"},
      {"tcwv", "total_column_water_vapour"},
      {"blh", "boundary_layer_height"},
      {"ta", "temperature"},
      {"ua", "u_component_of_wind"},
      {"va", "v_component_of_wind"},
      {"hus", "specific_humidity"},
      {"zg", "geopotential_height"},
      {"tas", "2m_temperature"},
      {"uas", "10m_u_component_of_wind"},
      {"vas", "10m_v_component_of_wind"},
      {"psl", "mean_sea_level_pressure"},
      {"ps", "surface_pressure"},
  };
  if (name == "z") return has_levels ? "geopotential" : "geopotential_at_surface";
  const auto found = names.find(name);
  return std::string(found == names.end() ? name : found->second);
}

bool is_at_surface(std::string_view name) {
  for (const char* start : {"2m_", "10m_", "100m_", "surface_", "mean_sea_level", "total_", "sea_", "skin_",
                            "snow_", "soil_", "volumetric_soil", "boundary_layer", "toa_", "mean_surface"}) {
    if (name.starts_with(start)) return true;
  }
  return is_static(name);
}

bool is_static(std::string_view name) {
  static const Words names = {"geopotential_at_surface",
                              "orography",
                              "land_sea_mask",
                              "soil_type",
                              "lake_cover",
                              "lake_depth",
                              "high_vegetation_cover",
                              "low_vegetation_cover",
                              "type_of_high_vegetation",
                              "type_of_low_vegetation",
                              "standard_deviation_of_orography",
                              "standard_deviation_of_filtered_subgrid_orography",
                              "angle_of_sub_gridscale_orography",
                              "anisotropy_of_sub_gridscale_orography",
                              "slope_of_sub_gridscale_orography"};
  return names.contains(name);
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
