#include "graticule/data/field_roles.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "graticule/core/error.h"

namespace graticule {

namespace {

struct Dimensions {
  std::optional<size_t> row, column, level, time, lead, other;
};

std::string place_of(const ArrayHeader& header) { return header.name + " (" + header.file + ")"; }

// An array is as long as its coordinates, or one of the two was never finished.
void require_size(const ArrayHeader& header, size_t dimension, const CoordinateAxis& axis) {
  const auto there = static_cast<int64_t>(axis.values.size());
  if (header.shape[dimension] == there) return;
  refuse("source", header.file, ": ", header.name, " has ", header.shape[dimension], " along ",
         header.dimensions[dimension], ", but ", axis.name, " has ", there,
         " values: one of them was extended or cut without the other; write ", header.name, " anew");
}

Dimensions dimensions_of(const ArrayHeader& header, const Coordinates& coordinates) {
  Dimensions found;
  for (size_t d = 0; d < header.shape.size(); ++d) {
    const auto axis = coordinates.axes.find(header.dimensions[d]);
    const Coordinate kind = axis == coordinates.axes.end() ? Coordinate::none : axis->second.kind;
    std::optional<size_t>* role = kind == Coordinate::latitude    ? &found.row
                                  : kind == Coordinate::longitude ? &found.column
                                  : kind == Coordinate::level     ? &found.level
                                  : kind == Coordinate::time      ? &found.time
                                  : kind == Coordinate::lead      ? &found.lead
                                                                  : nullptr;
    if (role && !*role && !(role == &found.lead && header.shape[d] != 1)) {
      *role = d;
    } else if (header.shape[d] != 1) {
      found.other = d;
    }
  }
  return found;
}

std::vector<std::string> words_of(const std::string& list) {
  std::istringstream stream(list);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

// The two-dimensional latitudes or longitudes that the field names as its own.
std::string curvilinear_coordinate(const ArrayHeader& header, const Dataset& data) {
  for (const std::string& name : words_of(text_attribute(header.attributes, "coordinates"))) {
    for (const auto& array : data.arrays) {
      if (array->header().name != name || array->header().shape.size() != 2) continue;
      const Coordinate kind = coordinate_of(name, array->header().attributes);
      if (kind == Coordinate::latitude || kind == Coordinate::longitude) return name;
    }
  }
  return "";
}

// Why a field cannot be used that has rows and columns, or would have them on a plain grid; "" when it can.
std::string obstacle_of(const ArrayHeader& header, const Dataset& data, const Dimensions& found,
                        const Coordinates& coordinates) {
  const std::string curvilinear = curvilinear_coordinate(header, data);
  if (!curvilinear.empty())
    return text("its ", curvilinear,
                " has two dimensions: a rotated or curvilinear grid; bring it onto latitudes and longitudes");
  const auto mapping = data.mappings.find(text_attribute(header.attributes, "grid_mapping"));
  if (mapping != data.mappings.end() && mapping->second != "latitude_longitude")
    return text("its grid mapping is ", mapping->second, ": bring it onto latitudes and longitudes");
  if (!found.row || !found.column) return "";
  if (!found.other) return "";
  const size_t d = *found.other;
  const auto axis = coordinates.axes.find(header.dimensions[d]);
  const bool leads = axis != coordinates.axes.end() && axis->second.kind == Coordinate::lead;
  return text("its dimension ", header.dimensions[d], " of size ", header.shape[d],
              leads ? " holds leads: choose one" : " is no time, pressure level, latitude or longitude");
}

// The scalar coordinate of a kind that belongs to the field: the one that it names; of a time also the only
// one there is where the field names nothing. Times of validity win.
const CoordinateAxis* scalar_of(const ArrayHeader& header, const Coordinates& coordinates, Coordinate kind) {
  const std::vector<std::string> named = words_of(text_attribute(header.attributes, "coordinates"));
  const CoordinateAxis* found = nullptr;
  for (const auto& [name, scalar] : coordinates.scalars) {
    const bool own = std::find(named.begin(), named.end(), name) != named.end() ||
                     (named.empty() && kind != Coordinate::level);
    if (!own || scalar.kind != kind) continue;
    if (!found || (found->reference && !scalar.reference) || (name == "valid_time" && !scalar.reference))
      found = &scalar;
  }
  return found;
}

// Times at which forecasts were started become those that they are valid for.
void add_lead(const ArrayHeader& header, const CoordinateAxis& axis, const CoordinateAxis* lead,
              FieldRoles& roles, std::vector<std::string>& notes) {
  if (!axis.reference) return;
  if (!lead) {
    notes.push_back(text(place_of(header), ": ", axis.name,
                         " says when forecasts were started, and nothing how long they ran: taken as it is"));
    return;
  }
  const int64_t seconds = std::llround(lead->values[0]);
  for (int64_t& time : roles.times) time += seconds;
  if (seconds != 0)
    notes.push_back(text(place_of(header), ": times are ", axis.name, " plus ", lead->name, ", ",
                         static_cast<double>(seconds) / 3600, " h"));
}

}  // namespace

std::optional<FieldRoles> roles_of(const ArrayHeader& header, const Dataset& data,
                                   const Coordinates& coordinates, std::vector<std::string>& notes) {
  const Coordinate itself = coordinate_of(header.name, header.attributes);
  const bool coordinate = itself == Coordinate::latitude || itself == Coordinate::longitude;
  if (header.shape.size() < 2 || coordinate) return std::nullopt;
  const Dimensions found = dimensions_of(header, coordinates);
  const std::string obstacle = obstacle_of(header, data, found, coordinates);
  if (!obstacle.empty()) notes.push_back(place_of(header) + ": " + obstacle);
  if (!obstacle.empty() || !found.row || !found.column) return std::nullopt;

  const auto axis_of = [&](size_t d) -> const CoordinateAxis& {
    return coordinates.axes.at(header.dimensions[d]);
  };
  for (const auto& d : {found.row, found.column, found.level, found.time, found.lead}) {
    if (d) require_size(header, *d, axis_of(*d));
  }
  FieldRoles roles{found.time, found.level, *found.row, *found.column, {}, {}};
  const CoordinateAxis* time =
      found.time ? &axis_of(*found.time) : scalar_of(header, coordinates, Coordinate::time);
  const CoordinateAxis* level =
      found.level ? &axis_of(*found.level) : scalar_of(header, coordinates, Coordinate::level);
  const CoordinateAxis* lead =
      found.lead ? &axis_of(*found.lead) : scalar_of(header, coordinates, Coordinate::lead);
  if (time) {
    roles.times = time->times;
    add_lead(header, *time, lead, roles, notes);
  }
  if (level) roles.levels = level->values;
  return roles;
}

}  // namespace graticule
