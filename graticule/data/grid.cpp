#include "graticule/data/grid.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "graticule/core/error.h"
#include "graticule/data/time.h"

namespace graticule {

namespace {

std::vector<double> read_values(StoredArray& array) {
  std::vector<Span> box;
  size_t count = 1;
  for (const int64_t n : array.header().shape) {
    box.push_back({0, n});
    count *= static_cast<size_t>(n);
  }
  std::vector<std::byte> stored(count * size_of(array.header().type));
  array.read(box, stored);
  return to_doubles(stored, array.header().type);
}

std::string place_of(const StoredArray& array) { return array.header().file + ": " + array.header().name; }

Axis read_axis(StoredArray& array, Coordinate kind) {
  const nlohmann::json& attributes = array.header().attributes;
  Axis axis{kind, read_values(array), {}};
  for (double& value : axis.values) {
    value = value * array.header().packing.scale + array.header().packing.offset;
    if (!std::isfinite(value))
      refuse("grid", place_of(array), " holds ", value, ": coordinates must be numbers");
    if (kind == Coordinate::level) value = level_in_hectopascal(value, text_attribute(attributes, "units"));
  }
  if (kind == Coordinate::time) {
    const TimeUnits units =
        parse_time_units(text_attribute(attributes, "units"), text_attribute(attributes, "calendar"));
    for (const double value : axis.values) {
      axis.times.push_back(units.origin + std::llround(value * static_cast<double>(units.seconds_a_unit)));
    }
  }
  return axis;
}

void set_latitudes(Grid& grid, std::vector<double> latitudes, const std::string& file) {
  grid.latitude_descending = latitudes.size() > 1 && latitudes[0] > latitudes[1];
  if (grid.latitude_descending) std::reverse(latitudes.begin(), latitudes.end());
  const auto rises = [](double a, double b) { return !(a < b); };
  if (std::adjacent_find(latitudes.begin(), latitudes.end(), rises) != latitudes.end()) {
    refuse("grid", file, ": the latitudes neither only rise nor only fall");
  }
  if (latitudes.front() < -90.001 || latitudes.back() > 90.001) {
    refuse("grid", file, ": latitudes from ", latitudes.front(), " to ", latitudes.back(),
           ", allowed are -90 to 90");
  }
  grid.latitudes = std::move(latitudes);
}

void set_longitudes(Grid& grid, const std::vector<double>& stored, const std::string& file) {
  std::vector<double> east(stored.size());
  for (size_t x = 0; x < stored.size(); ++x) {
    east[x] = std::fmod(stored[x], 360);
    if (east[x] < 0) east[x] += 360;
    if (east[x] >= 360 - 1e-6) east[x] = 0;
  }
  grid.columns.resize(east.size());
  std::iota(grid.columns.begin(), grid.columns.end(), int64_t{0});
  const auto at = [&](int64_t x) { return east[static_cast<size_t>(x)]; };
  std::sort(grid.columns.begin(), grid.columns.end(), [&](int64_t a, int64_t b) { return at(a) < at(b); });
  for (const int64_t x : grid.columns) {
    if (!grid.longitudes.empty() && at(x) - grid.longitudes.back() < 1e-6) {
      refuse("grid", file, ": longitude ", at(x), " is given twice: cut the repeated column off");
    }
    grid.longitudes.push_back(at(x));
  }
}

}  // namespace

Grid read_grid(const Dataset& data) {
  Grid grid;
  const auto add = [&](StoredArray& array) {
    const ArrayHeader& header = array.header();
    const Coordinate kind = coordinate_of(header.name, header.attributes);
    if (kind == Coordinate::none || header.shape[0] == 0) return;
    grid.axes.emplace(header.dimensions[0], read_axis(array, kind));
  };
  for (const auto& array : data.arrays) {
    const ArrayHeader& header = array->header();
    if (header.shape.empty() && coordinate_of(header.name, header.attributes) == Coordinate::level) {
      grid.scalar_levels[header.name] = read_axis(*array, Coordinate::level).values[0];
    }
    if (header.shape.size() == 1 && header.name == header.dimensions[0]) add(*array);
  }
  // A dimension without a coordinate of its own name may have one of another.
  for (const auto& array : data.arrays) {
    const ArrayHeader& header = array->header();
    if (header.shape.size() != 1) continue;
    const bool own = std::any_of(data.arrays.begin(), data.arrays.end(), [&](const auto& other) {
      return other->header().name == header.dimensions[0];
    });
    if (!own) add(*array);
  }
  for (const auto& [dimension, axis] : grid.axes) {
    if (axis.kind == Coordinate::latitude && grid.latitudes.empty())
      set_latitudes(grid, axis.values, data.path);
    if (axis.kind == Coordinate::longitude && grid.longitudes.empty())
      set_longitudes(grid, axis.values, data.path);
  }
  return grid;
}

}  // namespace graticule
