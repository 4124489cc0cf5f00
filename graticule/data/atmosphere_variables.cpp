// The table of the synthetic atmosphere's variables: names, units, and the function that makes each.
#include <algorithm>
#include <array>
#include <charconv>

#include "graticule/core/error.h"
#include "graticule/data/atmosphere.h"

namespace graticule {

namespace {

struct Row {
  const char* name;
  const char* units;
  const char* long_name;
  const char* standard_name;
  Atmosphere::Field (Atmosphere::*make)(const Atmosphere::Place&) const;
  bool constant = false;
};

const std::array<Row, 5> at_levels = {{
    {"geopotential", "m**2 s**-2", "Geopotential", "geopotential", &Atmosphere::geopotential},
    {"temperature", "K", "Temperature", "air_temperature", &Atmosphere::temperature},
    {"u_component_of_wind", "m s**-1", "U component of wind", "eastward_wind", &Atmosphere::eastward_wind},
    {"v_component_of_wind", "m s**-1", "V component of wind", "northward_wind", &Atmosphere::northward_wind},
    {"specific_humidity", "kg kg**-1", "Specific humidity", "specific_humidity",
     &Atmosphere::specific_humidity},
}};

const std::array<Row, 8> at_surface = {{
    {"2m_temperature", "K", "2 metre temperature", "air_temperature", &Atmosphere::temperature_2m},
    {"10m_u_component_of_wind", "m s**-1", "10 metre U wind component", "eastward_wind",
     &Atmosphere::eastward_wind_10m},
    {"10m_v_component_of_wind", "m s**-1", "10 metre V wind component", "northward_wind",
     &Atmosphere::northward_wind_10m},
    {"mean_sea_level_pressure", "Pa", "Mean sea level pressure", "air_pressure_at_mean_sea_level",
     &Atmosphere::sea_level_pressure},
    {"surface_pressure", "Pa", "Surface pressure", "surface_air_pressure", &Atmosphere::surface_pressure},
    {"toa_incident_solar_radiation", "J m**-2", "TOA incident solar radiation of one hour", "",
     &Atmosphere::incident_solar_radiation},
    {"land_sea_mask", "(0 - 1)", "Land-sea mask", "land_binary_mask", &Atmosphere::land_fraction, true},
    {"geopotential_at_surface", "m**2 s**-2", "Geopotential at the surface", "surface_geopotential",
     &Atmosphere::surface_geopotential, true},
}};

// 500, 850 and 250 hPa, the rest of WeatherBench's 13 levels, every 25 hPa, then every 1 hPa.
std::vector<int> all_levels() {
  std::vector<int> levels = {500, 850, 250, 700, 925, 300, 1000, 400, 200, 600, 150, 100, 50};
  const auto add = [&](int level) {
    if (std::find(levels.begin(), levels.end(), level) == levels.end()) levels.push_back(level);
  };
  for (int level = 25; level <= 1000; level += 25) add(level);
  for (int level = 1; level <= 1000; ++level) add(level);
  return levels;
}

Variable describe(const Row& row, int level) {
  const std::string suffix = level > 0 ? text("@", level) : "";
  return {row.name + suffix, row.units, row.long_name, row.standard_name, row.constant};
}

}  // namespace

std::vector<Variable> atmosphere_variables(int64_t count) {
  GRATICULE_CHECK(count >= 1 && count <= atmosphere_variable_limit, count, " variables");
  std::vector<Variable> variables = {describe(at_levels[1], 850), describe(at_levels[0], 500)};
  const auto add = [&](const Row& row, int level) {
    const Variable variable = describe(row, level);
    const bool known = std::any_of(variables.begin(), variables.end(),
                                   [&](const auto& v) { return v.name == variable.name; });
    if (!known && static_cast<int64_t>(variables.size()) < count) variables.push_back(variable);
  };
  for (const Row& row : at_surface) add(row, 0);
  for (const int level : all_levels()) {
    if (static_cast<int64_t>(variables.size()) >= count) break;
    for (const Row& row : at_levels) add(row, level);
  }
  variables.resize(static_cast<size_t>(count));
  return variables;
}

void Atmosphere::read(const std::string& variable, int64_t seconds, Span rows, std::span<float> out) const {
  const std::string base = variable.substr(0, variable.find('@'));
  int level = 0;
  if (base.size() < variable.size())
    std::from_chars(variable.data() + base.size() + 1, variable.data() + variable.size(), level);
  const auto named = [&](const Row& row) { return base == row.name; };
  const auto surface = std::find_if(at_surface.begin(), at_surface.end(), named);
  const auto aloft = std::find_if(at_levels.begin(), at_levels.end(), named);
  GRATICULE_CHECK(level > 0 ? aloft != at_levels.end() : surface != at_surface.end(), variable);
  const auto make = level > 0 ? aloft->make : surface->make;
  const Field field = (this->*make)({rows, seconds, static_cast<double>(level)});
  GRATICULE_CHECK(field.size() == out.size(), field.size(), " values into ", out.size());
  std::copy(field.begin(), field.end(), out.begin());
}

}  // namespace graticule
