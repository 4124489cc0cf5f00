#include "graticule/data/field_roles.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <sstream>

#include "graticule/core/error.h"
#include "graticule/data/cell_coordinates.h"

namespace graticule {

namespace {

struct Dimensions {
  std::optional<size_t> row, column, cell, level, time, lead, other;
  bool on_globe() const { return cell || (row && column); }
};

std::string place_of(const ArrayHeader& header) { return header.name + " (" + header.file + ")"; }

// The size of an array must be that of its coordinate; otherwise a write of one of the two was not finished.
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
    if (coordinates.cells.contains(header.dimensions[d])) {
      found.cell = d;
      continue;
    }
    const auto axis = coordinates.axes.find(header.dimensions[d]);
    const Coordinate kind = axis == coordinates.axes.end() ? Coordinate::none : axis->second.kind;
    std::optional<size_t>* role = kind == Coordinate::latitude    ? &found.row
                                  : kind == Coordinate::longitude ? &found.column
                                  : kind == Coordinate::level     ? &found.level
                                  : kind == Coordinate::time      ? &found.time
                                  : kind == Coordinate::lead      ? &found.lead
                                                                  : nullptr;
    // A time dimension of size 1 that cannot be read must not be ignored: the field would become a constant.
    const bool unread_time = !role && lower(header.dimensions[d]).find("time") != std::string::npos;
    if (role && !*role && !(role == &found.lead && header.shape[d] != 1)) {
      *role = d;
    } else if (header.shape[d] != 1 || unread_time) {
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

// The name of a latitude or longitude of two dimensions (WRF's have time as a third) that the field refers to; "" when there
// is none.
std::string curvilinear_coordinate(const ArrayHeader& header, const Dataset& data) {
  for (const std::string& name : words_of(text_attribute(header.attributes, "coordinates"))) {
    for (const auto& array : data.arrays) {
      if (array->header().name != name || array->header().shape.size() < 2) continue;
      const Coordinate kind = coordinate_of(name, array->header().attributes);
      if (kind == Coordinate::latitude || kind == Coordinate::longitude) return name;
    }
  }
  return "";
}

// Whether an array looks like a field. Bounds of cells (two to four numbers each) and tables do not.
bool looks_like_a_field(const ArrayHeader& header, const Dimensions& found) {
  constexpr int64_t corners = 4;
  const bool half = found.row.has_value() != found.column.has_value();
  return header.shape.back() > corners && (half || header.shape.size() > 2);
}

std::string without_grid(const ArrayHeader& header) {
  std::string names;
  for (const std::string& name : header.dimensions) names += (names.empty() ? "" : ", ") + name;
  return text("latitudes and longitudes are not both among its dimensions (", names, ")");
}

// The reason why an array that looks like a field cannot be used; "" when it can, or is no field.
std::string obstacle_of(const ArrayHeader& header, const Dataset& data, const Dimensions& found,
                        const Coordinates& coordinates) {
  const std::string curvilinear = found.cell ? "" : curvilinear_coordinate(header, data);
  if (!curvilinear.empty())
    return text(
        "its ", curvilinear,
        " has several dimensions: a rotated or curvilinear grid; bring it onto latitudes and longitudes");
  // The attribute is "crs" or, in CF's extended form, "crs: latitude longitude".
  for (std::string word : words_of(text_attribute(header.attributes, "grid_mapping"))) {
    if (word.ends_with(':')) word.pop_back();
    const auto mapping = data.mappings.find(word);
    if (mapping == data.mappings.end() || found.cell) continue;
    const std::string kind = text_attribute(mapping->second, "grid_mapping_name");
    if (kind != "latitude_longitude")
      return text("its grid mapping is ", kind, ": bring it onto latitudes and longitudes");
  }
  if (!found.on_globe()) return looks_like_a_field(header, found) ? without_grid(header) : "";
  if (!found.other) return "";
  const size_t d = *found.other;
  if (header.shape[d] == 0)
    return text("its dimension ", header.dimensions[d], " has size 0: nothing was written");
  if (header.shape[d] == 1) return text("its time, ", header.dimensions[d], ", cannot be read");
  const auto axis = coordinates.axes.find(header.dimensions[d]);
  const bool leads = axis != coordinates.axes.end() && axis->second.kind == Coordinate::lead;
  return text("its dimension ", header.dimensions[d], " of size ", header.shape[d],
              leads ? " holds leads: choose one" : " is no time, pressure level, latitude or longitude");
}

// The scalar coordinate of a kind that belongs to the field: one that the field names, or else any time or
// lead. Among several, the one with the highest validity is used.
const CoordinateAxis* scalar_of(const ArrayHeader& header, const Coordinates& coordinates, Coordinate kind) {
  const std::vector<std::string> named = words_of(text_attribute(header.attributes, "coordinates"));
  const auto is_named = [&](const auto& scalar) {
    return scalar.second.kind == kind && std::find(named.begin(), named.end(), scalar.first) != named.end();
  };
  const auto& all = coordinates.scalars;
  const bool any = std::any_of(all.begin(), all.end(), is_named);
  const CoordinateAxis* found = nullptr;
  for (const auto& scalar : all) {
    const bool own = any ? is_named(scalar) : kind != Coordinate::level && scalar.second.kind == kind;
    if (!own) continue;
    const CoordinateAxis& next = scalar.second;
    if (found && found->validity == next.validity && found->times != next.times)
      refuse("source", header.file, ": ", header.name, " has two times, ", found->name, " and ", next.name,
             ": give the one at which it is valid the attribute standard_name = \"time\"");
    if (!found || next.validity > found->validity) found = &next;
  }
  return found;
}

// Adds the lead to times that are the start of forecasts, which gives the times of validity. Does nothing
// when the times surely are times of validity.
void add_lead(const ArrayHeader& header, const CoordinateAxis& axis, const CoordinateAxis* lead,
              FieldRoles& roles, std::vector<std::string>& notes) {
  if (axis.validity == surely_valid) return;
  if (!lead) {
    if (axis.validity == 0)
      notes.push_back(
          text(place_of(header), ": ", axis.name,
               " gives the start of forecasts, and no lead is known: it is taken as the time of validity"));
    return;
  }
  const int64_t seconds = std::llround(lead->values[0]);
  for (int64_t& time : roles.times) time += seconds;
  if (seconds != 0)
    notes.push_back(text(place_of(header), ": times are ", axis.name, " plus ", lead->name, ", ",
                         static_cast<double>(seconds) / 3600, " h"));
}

// Scalar coordinates that are no time, lead, level or place. Parts of a date and the version of ERA5 are
// ignored: they do not describe the quantity.
std::map<std::string, double> others_beside(const ArrayHeader& header, const Coordinates& coordinates) {
  std::vector<std::string> names = words_of(text_attribute(header.attributes, "coordinates"));
  for (size_t d = 0; d < header.shape.size(); ++d) {
    if (header.shape[d] == 1) names.push_back(header.dimensions[d]);
  }
  std::map<std::string, double> beside;
  for (const std::string& name : names) {
    static const std::set<std::string> ignored = {"expver", "year", "season",    "month",
                                                  "week",   "day",  "dayofyear", "hour"};
    const auto other = coordinates.others.find(name);
    if (other != coordinates.others.end() && !ignored.contains(name)) beside.insert(*other);
  }
  return beside;
}

}  // namespace

std::optional<FieldRoles> roles_of(const ArrayHeader& header, const Dataset& data,
                                   const Coordinates& coordinates, std::vector<std::string>& notes) {
  const Coordinate itself = coordinate_of(header.name, header.attributes);
  const bool coordinate = itself == Coordinate::latitude || itself == Coordinate::longitude;
  Dimensions found = dimensions_of(header, coordinates);
  if (coordinate || header.shape.size() < (found.cell ? 1 : 2)) return std::nullopt;
  if (found.cell && describes_cells(header)) return std::nullopt;
  const std::string obstacle = obstacle_of(header, data, found, coordinates);
  if (!obstacle.empty()) notes.push_back(place_of(header) + ": " + obstacle);
  if (!obstacle.empty() || !found.on_globe()) return std::nullopt;

  const auto axis_of = [&](size_t d) -> const CoordinateAxis& {
    return coordinates.axes.at(header.dimensions[d]);
  };
  for (const auto& d : {found.row, found.column, found.level, found.time, found.lead}) {
    if (d) require_size(header, *d, axis_of(*d));
  }
  if (found.cell) {
    const Cells& cells = *coordinates.cells.at(header.dimensions[*found.cell]);
    require_size(header, *found.cell,
                 {Coordinate::none, cells.name, cells.latitudes, {}, Calendar::gregorian, 0});
    found.row = found.cell, found.column.reset();
  }
  FieldRoles roles{found.time, found.level, *found.row, found.column, {}, Calendar::gregorian, {}, false, {}};
  const CoordinateAxis* time =
      found.time ? &axis_of(*found.time) : scalar_of(header, coordinates, Coordinate::time);
  const CoordinateAxis* level =
      found.level ? &axis_of(*found.level) : scalar_of(header, coordinates, Coordinate::level);
  const CoordinateAxis* lead =
      found.lead ? &axis_of(*found.lead) : scalar_of(header, coordinates, Coordinate::lead);
  if (time) {
    roles.times = time->times;
    roles.calendar = time->calendar;
    add_lead(header, *time, lead, roles, notes);
  }
  if (level) roles.levels = level->values;
  roles.scalar_level = level && !found.level;
  roles.beside = others_beside(header, coordinates);
  return roles;
}

}  // namespace graticule
