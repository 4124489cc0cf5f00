#include "graticule/data/physical_range.h"

#include <map>
#include <string>
#include <string_view>

#include "graticule/data/units.h"

namespace graticule {

std::optional<PhysicalRange> physical_range_of(const Variable& variable) {
  struct Known {
    std::string_view units;
    PhysicalRange range;
  };
  static const std::map<std::string_view, Known> ranges = {
      {"temperature", {"K", {100, 400}}},
      {"2m_temperature", {"K", {150, 350}}},
      {"2m_dewpoint_temperature", {"K", {100, 320}}},
      {"skin_temperature", {"K", {150, 380}}},
      {"sea_surface_temperature", {"K", {250, 320}}},
      {"soil_temperature_level_1", {"K", {150, 380}}},
      {"geopotential", {"m2 s-2", {-1e4, 8e5}}},
      {"geopotential_at_surface", {"m2 s-2", {-6e3, 9e4}}},
      {"geopotential_height", {"m", {-1e3, 8e4}}},
      {"u_component_of_wind", {"m s-1", {-250, 250}}},
      {"v_component_of_wind", {"m s-1", {-250, 250}}},
      {"10m_u_component_of_wind", {"m s-1", {-120, 120}}},
      {"10m_v_component_of_wind", {"m s-1", {-120, 120}}},
      {"100m_u_component_of_wind", {"m s-1", {-140, 140}}},
      {"100m_v_component_of_wind", {"m s-1", {-140, 140}}},
      {"specific_humidity", {"kg kg-1", {-0.01, 0.06}}},
      {"relative_humidity", {"%", {-60, 250}}},
      {"vertical_velocity", {"Pa s-1", {-100, 100}}},
      {"surface_pressure", {"Pa", {3e4, 1.15e5}}},
      {"mean_sea_level_pressure", {"Pa", {8e4, 1.15e5}}},
      {"total_precipitation", {"m", {-1e-3, 5, true}}},
      {"toa_incident_solar_radiation", {"J m-2", {-1, 1.3e8, true}}},
      {"land_sea_mask", {"1", {-0.01, 1.01, true}}},
      {"sea_ice_cover", {"1", {-0.01, 1.01, true}}},
      {"lake_cover", {"1", {-0.01, 1.01, true}}},
      {"total_cloud_cover", {"1", {-0.01, 1.01, true}}},
      {"snow_depth", {"m", {-0.01, 15, true}}},
      {"total_column_water", {"kg m-2", {-1, 150}}},
      {"total_column_water_vapour", {"kg m-2", {-1, 150}}},
      {"boundary_layer_height", {"m", {0, 1e4}}}};
  const auto found = ranges.find(std::string_view(variable.name).substr(0, variable.name.find('@')));
  if (found == ranges.end()) return std::nullopt;
  const std::string expected(found->second.units);
  if (!variable.units.empty() && !same_units(expected, variable.units)) return std::nullopt;
  return found->second.range;
}

}  // namespace graticule
