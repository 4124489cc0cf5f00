#include "graticule/data/names.h"

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "graticule/data/cf.h"
#include "graticule/data/units.h"

namespace graticule {

namespace {

struct KnownParameter {
  std::string_view name;         // WeatherBench's
  int64_t number = 0;            // at ECMWF
  std::string_view short_names;  // of ECMWF (GRIB), the Climate Data Store, makani and CMIP
  bool has_levels = false;
};

// Short names: https://codes.ecmwf.int/grib/param-db; `u10m`, `d2`, ... are makani's; `ta`, `tas`, ...
// CMIP's.
constexpr KnownParameter parameters[] = {
    {"temperature", 130, "t ta", true},
    {"u_component_of_wind", 131, "u ua", true},
    {"v_component_of_wind", 132, "v va", true},
    {"specific_humidity", 133, "q hus", true},
    {"relative_humidity", 157, "r", true},
    {"vertical_velocity", 135, "w", true},
    {"vorticity", 138, "vo", true},
    {"divergence", 155, "d", true},
    {"geopotential", 129, "", true},
    {"geopotential_height", 156, "gh zg", true},
    {"potential_vorticity", 60, "pv", true},
    {"ozone_mass_mixing_ratio", 203, "o3", true},
    {"fraction_of_cloud_cover", 248, "cc", true},
    {"specific_cloud_liquid_water_content", 246, "clwc", true},
    {"specific_cloud_ice_water_content", 247, "ciwc", true},
    {"specific_rain_water_content", 75, "crwc", true},
    {"specific_snow_water_content", 76, "cswc", true},
    {"2m_temperature", 167, "2t t2m tas"},
    {"2m_dewpoint_temperature", 168, "2d d2m d2"},
    {"10m_u_component_of_wind", 165, "10u u10 u10m uas"},
    {"10m_v_component_of_wind", 166, "10v v10 v10m vas"},
    {"100m_u_component_of_wind", 228246, "100u u100 u100m"},
    {"100m_v_component_of_wind", 228247, "100v v100 v100m"},
    {"surface_pressure", 134, "sp ps"},
    {"mean_sea_level_pressure", 151, "msl psl"},
    {"total_precipitation", 228, "tp"},
    {"toa_incident_solar_radiation", 212, "tisr"},
    {"surface_solar_radiation_downwards", 169, "ssrd"},
    {"surface_thermal_radiation_downwards", 175, "strd"},
    {"land_sea_mask", 172, "lsm"},
    {"sea_surface_temperature", 34, "sst"},
    {"skin_temperature", 235, "skt"},
    {"sea_ice_cover", 31, "siconc ci"},
    {"snow_depth", 141, "sd"},
    {"soil_type", 43, "slt"},
    {"lake_cover", 26, "cl"},
    {"lake_depth", 228007, "dl"},
    {"high_vegetation_cover", 28, "cvh"},
    {"low_vegetation_cover", 27, "cvl"},
    {"type_of_high_vegetation", 30, "tvh"},
    {"type_of_low_vegetation", 29, "tvl"},
    {"standard_deviation_of_orography", 160, "sdor"},
    {"standard_deviation_of_filtered_subgrid_orography", 74, "sdfor"},
    {"angle_of_sub_gridscale_orography", 162, "anor"},
    {"anisotropy_of_sub_gridscale_orography", 161, "isor"},
    {"slope_of_sub_gridscale_orography", 163, "slor"},
    {"volumetric_soil_water_layer_1", 39, "swvl1"},
    {"soil_temperature_level_1", 139, "stl1"},
    {"total_cloud_cover", 164, "tcc"},
    {"total_column_water", 136, "tcw"},
    {"total_column_water_vapour", 137, "tcwv"},
    {"boundary_layer_height", 159, "blh"},
};

constexpr int64_t number_of_geopotential = 129;  // at the surface too, where its name is another

const KnownParameter* by_short_name(std::string_view name) {
  static const std::map<std::string, const KnownParameter*, std::less<>> known = [] {
    std::map<std::string, const KnownParameter*, std::less<>> all;
    for (const KnownParameter& parameter : parameters) {
      std::istringstream names{std::string(parameter.short_names)};
      for (std::string one; names >> one;) all[one] = &parameter;
    }
    return all;
  }();
  const auto found = known.find(name);
  return found == known.end() ? nullptr : found->second;
}

const KnownParameter* by_number(int64_t number) {
  const auto found =
      std::find_if(std::begin(parameters), std::end(parameters),
                   [&](const KnownParameter& parameter) { return parameter.number == number; });
  return found == std::end(parameters) ? nullptr : found;
}

// NCAR writes short names in capital letters, with VAR_ before a digit: T, VAR_2T.
std::string as_short_name(std::string_view name) {
  if (name.starts_with("VAR_")) name.remove_prefix(4);
  const bool capitals = std::none_of(name.begin(), name.end(), [](char c) { return c >= 'a' && c <= 'z'; });
  return capitals ? lower(name) : std::string(name);
}

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
      {"cc", {{"1", "%"}, "cloud"}},
      {"o3", {{"kg kg-1"}, "mass"}},        // CMIP's is a mole fraction
      {"tp", {{}, "precipitation", "s"}}};  // tp in s is the period of waves at their peak
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

// The number of the parameter that a file gives, or nothing.
std::optional<int64_t> number_in(const nlohmann::json& attributes) {
  const auto found = attributes.find("GRIB_paramId");
  if (found == attributes.end() || !found->is_number()) return std::nullopt;
  return found->is_number_float() ? static_cast<int64_t>(found->get<double>()) : found->get<int64_t>();
}

// "t_850" -> {"t", 850, true}, "t850" -> {"t", 850, false}; nothing for a name without a number behind it.
struct Numbered {
  std::string base;
  int level = 0;
  bool separated = false;
};
std::optional<Numbered> numbered(const std::string& channel) {
  const size_t digits = channel.find_last_not_of("0123456789") + 1;
  if (digits == 0 || digits == channel.size() || channel.size() - digits > 4) return std::nullopt;
  Numbered parts{channel.substr(0, digits), std::stoi(channel.substr(digits)), channel[digits - 1] == '_'};
  if (parts.separated) parts.base.pop_back();
  return parts;
}

bool has_levels(std::string_view base) {
  const std::string name = as_short_name(base);
  const KnownParameter* known = by_short_name(name);
  const auto ours = [&](const KnownParameter& parameter) { return parameter.name == base; };
  if (!known && std::any_of(std::begin(parameters), std::end(parameters), ours))
    known = std::find_if(std::begin(parameters), std::end(parameters), ours);
  return name == "z" || (known && known->has_levels);
}

bool is_level_of_era5(int level) {
  static const std::set<int> levels = {10,  20,  30,  50,  70,  100, 125, 150, 175, 200, 225,
                                       250, 300, 350, 400, 450, 500, 550, 600, 650, 700, 750,
                                       775, 800, 825, 850, 875, 900, 925, 950, 975, 1000};
  return levels.contains(level);
}

}  // namespace

std::string long_name_of(std::string_view name, bool with_levels, const nlohmann::json& attributes) {
  const std::string short_name = as_short_name(name);
  const bool geopotential = short_name == "z";
  const KnownParameter* known = by_short_name(short_name);
  if (const std::optional<int64_t> number = number_in(attributes);
      number && *number != number_of_geopotential) {
    if (known && known->number != *number) return std::string(name);
    if (const KnownParameter* numbered = by_number(*number)) return std::string(numbered->name);
  }
  if ((!known && !geopotential) || means_something_else(short_name, attributes)) return std::string(name);
  if (geopotential) return with_levels ? "geopotential" : "geopotential_at_surface";
  return std::string(known->name);
}

std::string variable_of(std::string_view short_name, std::optional<double> hectopascal) {
  std::string name = long_name_of(short_name, hectopascal.has_value(), nlohmann::json::object());
  if (!hectopascal) return name;
  return name_at_level(name, *hectopascal);
}

std::vector<std::string> variables_of(const std::vector<std::string>& channels) {
  std::set<std::string> counted;  // short names whose numbers are not all pressure levels
  for (const std::string& channel : channels) {
    const std::optional<Numbered> parts = numbered(channel);
    const bool level = parts && (by_short_name(as_short_name(channel)) || is_level_of_era5(parts->level));
    if (parts && !parts->separated && !level) counted.insert(parts->base);
  }
  std::vector<std::string> variables;
  for (const std::string& channel : channels) {
    const std::optional<Numbered> parts = numbered(channel);
    const bool surface = by_short_name(as_short_name(channel)) != nullptr;
    const bool level = parts && !surface && has_levels(parts->base) && parts->level > 0 &&
                       (parts->separated || !counted.contains(parts->base));
    variables.push_back(level ? variable_of(parts->base, parts->level) : variable_of(channel, std::nullopt));
  }
  return variables;
}

bool is_at_surface(std::string_view name) {
  for (const char* start : {"2m_", "10m_", "100m_", "surface_", "mean_sea_level", "total_", "sea_", "skin_",
                            "snow_", "soil_", "volumetric_soil", "boundary_layer", "toa_", "mean_surface"}) {
    if (name.starts_with(start)) return true;
  }
  return is_static(name);
}

bool is_static(std::string_view name) {
  static const std::set<std::string_view> names = {"geopotential_at_surface",
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

}  // namespace graticule
