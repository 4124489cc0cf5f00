// The words of files: which coordinate is which (CF units and standard names first, then axis, then common
// names), the names of variables, pressure levels.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace graticule {

enum class Coordinate { none, latitude, longitude, level, time };

/// What a one-dimensional array called `name` with these attributes is.
Coordinate coordinate_of(std::string_view name, const nlohmann::json& attributes);

/// WeatherBench's long name of a short name of the Climate Data Store or CMIP (t2m -> 2m_temperature); any
/// other name is returned as it is. `z` without levels is the geopotential at the surface.
std::string long_name_of(std::string_view name, bool has_levels);

/// A level value in these units, in hPa ("Pa", "hPa", "millibars", ...; no units mean hPa).
double level_in_hectopascal(double value, std::string_view units);

/// "temperature", 850.0 -> "temperature@850"; a half is kept: "@0.5".
std::string name_at_level(std::string_view name, double hectopascal);

/// A text attribute, "" when absent or no text.
std::string text_attribute(const nlohmann::json& attributes, const char* name);

}  // namespace graticule
