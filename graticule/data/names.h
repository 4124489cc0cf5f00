// How variables are called: one table of WeatherBench's long names, the short names of other archives, and
// the numbers of the parameters at ECMWF. No function here opens a file.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace graticule {

/// WeatherBench's long name of an array. The attribute GRIB_paramId says which parameter it is, where a file
/// has it; else the name does (t2m, 2t, VAR_2T, tas -> 2m_temperature). Any other name is returned unchanged.
/// So is a name that the table knows when the number, the units or the standard name show that it means
/// something else (`vo` in m s-1). `z` without levels is the geopotential at the surface.
std::string long_name_of(std::string_view name, bool has_levels, const nlohmann::json& attributes);

/// Our names, with @level, of all variables of an array: `t_850`, `t850` -> temperature@850; `2t`, `u10m`;
/// our own names stay. A number without "_" is a level where all numbers behind that short name in `channels`
/// are pressure levels of ERA5 (not 1, 2, 3, 4, ... of a model), and it is at least 10. Other names stay.
std::vector<std::string> variables_of(const std::vector<std::string>& channels);

/// Our name of a parameter by its short name and, where the file gives one, its level in hPa.
std::string variable_of(std::string_view short_name, std::optional<double> hectopascal);

/// Whether a field is at or near the surface and so has no pressure level. `name`: WeatherBench's long name.
bool is_at_surface(std::string_view name);

/// Whether a field does not change in time (land, soil, orography). `name`: WeatherBench's long name.
bool is_static(std::string_view name);

}  // namespace graticule
