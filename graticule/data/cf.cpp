#include "graticule/data/cf.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>
#include <string>

namespace graticule {

namespace {

template <size_t n>
bool is_one_of(std::string_view word, const std::array<std::string_view, n>& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

constexpr std::array<std::string_view, 6> north = {"degrees_north", "degree_north", "degree_N",
                                                   "degrees_N",     "degreeN",      "degreesN"};
constexpr std::array<std::string_view, 6> east = {"degrees_east", "degree_east", "degree_E",
                                                  "degrees_E",    "degreeE",     "degreesE"};
constexpr std::array<std::string_view, 10> hectopascal = {
    "hPa", "hpa", "HPa", "millibar", "millibars", "mbar", "mb", "hectopascal", "hectopascals", "mbars"};
constexpr std::array<std::string_view, 5> pascal = {"Pa", "pa", "Pascal", "pascal", "pascals"};

constexpr std::array<std::string_view, 2> latitude_names = {"lat", "latitude"};
constexpr std::array<std::string_view, 3> longitude_names = {"lon", "longitude", "long"};
constexpr std::array<std::string_view, 6> level_names = {"level",         "pressure_level", "plev",
                                                         "isobaricInhPa", "pressure",       "lev"};

}  // namespace

std::string text_attribute(const nlohmann::json& attributes, const char* name) {
  const auto found = attributes.find(name);
  return found != attributes.end() && found->is_string() ? found->get<std::string>() : "";
}

Coordinate coordinate_of(std::string_view name, const nlohmann::json& attributes) {
  const std::string units = text_attribute(attributes, "units");
  const std::string standard = text_attribute(attributes, "standard_name");
  const std::string axis = text_attribute(attributes, "axis");
  if (is_one_of(units, north)) return Coordinate::latitude;
  if (is_one_of(units, east)) return Coordinate::longitude;
  if (is_one_of(units, hectopascal) || is_one_of(units, pascal)) return Coordinate::level;
  if (units.find(" since ") != std::string::npos) return Coordinate::time;
  // A coordinate in other units (metres of a projection, model levels) is none of ours, whatever its name.
  if (!units.empty() && units != "degrees" && units != "degree") return Coordinate::none;
  if (standard == "latitude" || axis == "Y" || is_one_of(name, latitude_names)) return Coordinate::latitude;
  if (standard == "longitude" || axis == "X" || is_one_of(name, longitude_names))
    return Coordinate::longitude;
  if (units.empty() && (standard == "air_pressure" || is_one_of(name, level_names))) return Coordinate::level;
  return Coordinate::none;
}

std::string long_name_of(std::string_view name, bool has_levels) {
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

double level_in_hectopascal(double value, std::string_view units) {
  return is_one_of(units, pascal) ? value / 100 : value;
}

std::string name_at_level(std::string_view name, double level) {
  const double whole = std::round(level);
  std::array<char, 32> number{};
  std::snprintf(number.data(), number.size(), "%.6g", std::abs(level - whole) < 1e-3 ? whole : level);
  return std::string(name) + "@" + number.data();
}

}  // namespace graticule
