// Interprets the names and attributes in data files (CF conventions): which array is which coordinate, and what
// pressure levels are (names.h: how variables are called). CF units and standard names are tried first, then
// common names. The readers in coordinates.h, field_roles.h and field_join.h use it. No function here opens a
// file.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace graticule {

/// `lead`: the time between a forecast's start and the time that it is valid for.
enum class Coordinate { none, latitude, longitude, level, time, lead };

/// The kind of coordinate that an array called `name` with these attributes is, or `none`. Rotated and
/// projected axes, heights and model levels are `none`.
Coordinate coordinate_of(std::string_view name, const nlohmann::json& attributes);

/// How surely a time coordinate gives the time at which a field is valid: from 0 (it gives the start of a
/// forecast) to `surely_valid` (its standard_name is `time`, or its name is `valid_time`).
constexpr int surely_valid = 3;
int validity_of(std::string_view name, const nlohmann::json& attributes);

/// Whether an array may give the pressures along a dimension that has another name than the array.
bool is_level_name(std::string_view name, const nlohmann::json& attributes);

/// Converts levels to hPa by their units ("Pa", "hPa", "millibars", ...). Without units, the values are taken
/// as hPa if they look like pressure levels in hPa. Otherwise (Pa, or numbers of model levels) returns
/// nothing.
std::optional<std::vector<double>> levels_in_hectopascal(const std::vector<double>& values,
                                                         std::string_view units);

/// Seconds in one unit of a lead ("hours", "days", "nanoseconds", ..., in small letters); 0 for an unknown
/// unit.
double seconds_in_lead_unit(std::string_view units);

/// "temperature", 850.0 -> "temperature@850"; fractions are kept: "@0.5".
std::string name_at_level(std::string_view name, double hectopascal);

/// A text attribute without the blanks around it; "" when it is absent or not a text.
std::string text_attribute(const nlohmann::json& attributes, const char* name);

/// The text in small letters (ASCII).
std::string lower(std::string_view text);

/// Whether the bytes are UTF-8.
bool is_utf8(std::string_view text);

}  // namespace graticule
