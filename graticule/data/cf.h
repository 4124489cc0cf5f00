// The words of files: which coordinate is which (CF units and standard names first, then common names), the
// names of variables, pressure levels.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace graticule {

/// `lead`: the time between a forecast's start and the time that it is valid for.
enum class Coordinate { none, latitude, longitude, level, time, lead };

/// What an array called `name` with these attributes is, should it be a coordinate. Rotated and projected
/// axes and model levels are none.
Coordinate coordinate_of(std::string_view name, const nlohmann::json& attributes);

/// How surely a time says when a field is valid, from 0 for one that says when a forecast was started to
/// `surely_valid` for a standard_name `time` or the name `valid_time`.
constexpr int surely_valid = 3;
int validity_of(std::string_view name, const nlohmann::json& attributes);

/// Whether an array may stand for a dimension of another name as its pressure.
bool is_level_name(std::string_view name, const nlohmann::json& attributes);

/// WeatherBench's long name of a short name of the Climate Data Store or CMIP (t2m -> 2m_temperature); any
/// other name is returned as it is, and so is one whose units or standard name say that it is something else
/// (`vo` in m s-1). `z` without levels is the geopotential at the surface.
std::string long_name_of(std::string_view name, bool has_levels, const nlohmann::json& attributes);

/// Fields at or near the surface, by WeatherBench's long name: they have no pressure level.
bool is_at_surface(std::string_view name);

/// Fields that do not change in time, by WeatherBench's long name: land, soil, orography.
bool is_static(std::string_view name);

/// Levels in hPa by their units ("Pa", "hPa", "millibars", ...). Without units numbers of usual pressure
/// levels in hPa are taken as such; nothing for others: Pa, or the numbers of model levels.
std::optional<std::vector<double>> levels_in_hectopascal(const std::vector<double>& values,
                                                         std::string_view units);

/// Seconds in a lead's unit ("hours", "days", "nanoseconds", ...); 0 for an unknown one.
double seconds_in_lead_unit(std::string_view units);

/// "temperature", 850.0 -> "temperature@850"; a half is kept: "@0.5".
std::string name_at_level(std::string_view name, double hectopascal);

/// A text attribute without blanks around it, "" when absent or no text.
std::string text_attribute(const nlohmann::json& attributes, const char* name);

/// In small letters.
std::string lower(std::string_view text);

bool is_utf8(std::string_view text);

}  // namespace graticule
