#include "graticule/data/field_layout.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numbers>
#include <set>

#include "graticule/core/error.h"
#include "graticule/data/time.h"

namespace graticule {

namespace {

// "temperature@850" -> "temperature", 850; "2m_temperature" -> itself, 0.
std::pair<std::string, double> name_and_level(const std::string& variable) {
  const size_t at = variable.find('@');
  if (at == std::string::npos) return {variable, 0};
  double level = 0;
  const char *begin = variable.data() + at + 1, *end = variable.data() + variable.size();
  const auto [stop, error] = std::from_chars(begin, end, level);
  if (error != std::errc() || stop != end || level <= 0) {
    refuse("writer", variable, ": a level is a number of hPa, as in temperature@850");
  }
  return {variable.substr(0, at), level};
}

AxisLayout sample_axis(const FieldWriterOptions& options) {
  AxisLayout axis{"sample", {}, true, {{"long_name", "number of the sample"}}};
  for (const int64_t time : options.times) axis.values.push_back(static_cast<double>(sample_of_time(time)));
  return axis;
}

AxisLayout time_axis(const FieldWriterOptions& options) {
  if (options.calendar == Calendar::none) return sample_axis(options);
  const bool hours =
      std::all_of(options.times.begin(), options.times.end(), [](int64_t t) { return t % 3600 == 0; });
  AxisLayout axis{
      "time", {}, true, {{"calendar", std::string(name_of(options.calendar))}, {"long_name", "time"}}};
  axis.attributes["units"] = hours ? "hours since 1970-01-01 00:00:00" : "seconds since 1970-01-01 00:00:00";
  axis.attributes["standard_name"] = options.lead_hours.empty() ? "time" : "forecast_reference_time";
  for (const int64_t time : options.times)
    axis.values.push_back(static_cast<double>(hours ? time / 3600 : time));
  return axis;
}

AxisLayout lead_axis(const FieldWriterOptions& options) {
  AxisLayout axis{"prediction_timedelta",
                  {options.lead_hours.begin(), options.lead_hours.end()},
                  true,
                  {{"units", "hours"},
                   {"dtype", "timedelta64[ns]"},  // so that newer versions of xarray decode it
                   {"standard_name", "forecast_period"},
                   {"long_name", "lead time"}}};
  if (options.calendar == Calendar::none)
    axis.name = "step", axis.attributes = {{"long_name", "steps since the initial one"}};
  return axis;
}

// Latitude and longitude, the axes of a plane or volume, or cells.
std::vector<AxisLayout> grid_axes(const FieldWriterOptions& options) {
  std::vector<AxisLayout> axes;
  for (const ImageAxis& axis : options.axes) {
    axes.push_back({axis.name, axis.values, false, {}});
    if (!axis.units.empty()) axes.back().attributes["units"] = axis.units;
  }
  if (options.cells) {
    axes.push_back({"cell", {}, true, {{"long_name", options.cells->name}}});
    for (size_t i = 0; i < options.cells->latitudes.size(); ++i)
      axes[0].values.push_back(static_cast<double>(i));
  }
  if (!axes.empty()) return axes;
  axes.push_back({"latitude",
                  options.latitudes,
                  false,
                  {{"units", "degrees_north"}, {"standard_name", "latitude"}, {"long_name", "latitude"}}});
  axes.push_back({"longitude",
                  options.longitudes,
                  false,
                  {{"units", "degrees_east"}, {"standard_name", "longitude"}, {"long_name", "longitude"}}});
  if (options.latitude_descending) std::reverse(axes[0].values.begin(), axes[0].values.end());
  return axes;
}

// Where the cells of axis `axis` lie, and how large they are.
std::vector<CoordinateLayout> cell_coordinates(const Cells& cells, size_t axis) {
  constexpr double earth = 6'371'229, sphere = 4 * std::numbers::pi * earth * earth;  // m, m2
  std::vector<double> areas;
  for (const double area : cells.areas) areas.push_back(area * sphere);
  return {{"latitude", axis, cells.latitudes, {{"units", "degrees_north"}, {"standard_name", "latitude"}}},
          {"longitude", axis, cells.longitudes, {{"units", "degrees_east"}, {"standard_name", "longitude"}}},
          {"cell_area", axis, areas, {{"units", "m2"}, {"standard_name", "cell_area"}}}};
}

}  // namespace

FieldLayout layout_of(const FieldWriterOptions& options) {
  std::set<double> levels;
  for (const Variable& variable : options.variables) {
    if (const double level = name_and_level(variable.name).second; level > 0) levels.insert(level);
  }
  const bool whole =
      std::all_of(levels.begin(), levels.end(), [](double level) { return level == std::floor(level); });
  FieldLayout layout{{}, {}, {}, options.attributes, {}};
  layout.attributes["Conventions"] = "CF-1.8";
  auto& axes = layout.axes;
  axes.push_back(time_axis(options));
  axes.push_back(lead_axis(options));
  axes.push_back({"level",
                  {levels.begin(), levels.end()},
                  whole,
                  {{"units", "hPa"},
                   {"standard_name", "air_pressure"},
                   {"long_name", "pressure level"},
                   {"positive", "down"}}});
  for (AxisLayout& axis : grid_axes(options)) axes.push_back(std::move(axis));
  if (options.cells) layout.coordinates = cell_coordinates(*options.cells, axes.size() - 1);

  for (const Variable& variable : options.variables) {
    const auto [name, level] = name_and_level(variable.name);
    auto array = std::find_if(layout.arrays.begin(), layout.arrays.end(),
                              [&, &name = name](const auto& a) { return a.name == name; });
    FieldLayout::Slot slot{static_cast<size_t>(array - layout.arrays.begin()), 0, !options.lead_hours.empty(),
                           level > 0, variable.constant};
    if (slot.levels) slot.level = std::distance(levels.begin(), levels.find(level));
    if (slot.constant) slot.leads = false;
    if (!layout.slots.emplace(variable.name, slot).second)
      refuse("writer", variable.name, " is listed twice");
    if (array != layout.arrays.end()) {
      const bool has_level =
          std::find(array->axes.begin(), array->axes.end(), size_t{2}) != array->axes.end();
      if (!has_level || !slot.levels)
        refuse("writer", name, " is asked for with and without a level: choose one");
      continue;
    }
    ArrayLayout made{name, {}, {}, {}, {}};
    for (const auto& [key, value] : {std::pair{"units", variable.units},
                                     {"long_name", variable.long_name},
                                     {"standard_name", variable.standard_name}}) {
      if (!value.empty()) made.attributes[key] = value;
    }
    if (options.cells) made.attributes["coordinates"] = "latitude longitude cell_area";
    const std::array<bool, 3> has = {!slot.constant, slot.leads, slot.levels};
    for (size_t axis = 0; axis < axes.size(); ++axis) {
      if (axis < has.size() && !has[axis]) continue;
      const auto size = static_cast<int64_t>(axes[axis].values.size());
      made.axes.push_back(axis);
      made.shape.push_back(size);
      made.chunk.push_back(axis == 0 ? std::min(options.time_chunk, size) : axis < 3 ? 1 : size);
    }
    layout.arrays.push_back(made);
  }
  return layout;
}

}  // namespace graticule
