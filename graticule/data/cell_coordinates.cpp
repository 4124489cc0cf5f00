#include "graticule/data/cell_coordinates.h"

#include <cmath>
#include <numbers>
#include <set>

#include "graticule/core/error.h"
#include "graticule/data/cell_list.h"
#include "graticule/data/cf.h"
#include "graticule/data/healpix.h"

namespace graticule {

namespace {

using nlohmann::json;

bool has_areas(const ArrayHeader& header) {
  static const std::set<std::string> names = {"cell_area", "cell_areas", "areacella", "area"};
  return names.contains(lower(header.name)) ||
         text_attribute(header.attributes, "standard_name") == "cell_area";
}

bool has_numbers(const ArrayHeader& header) {
  const bool own = header.name == header.dimensions[0] && is_cell_dimension(header.name);
  return own || lower(header.name) == "cell_ids" ||
         text_attribute(header.attributes, "standard_name") == "healpix_index";
}

// The array along the dimension, alone, that `wanted` accepts; null when there is none.
template <class Wanted>
StoredArray* array_along(const Dataset& data, const std::string& dimension, const Wanted& wanted) {
  for (const auto& array : data.arrays) {
    const ArrayHeader& header = array->header();
    if (header.dimensions == std::vector<std::string>{dimension} && wanted(header)) return array.get();
  }
  return nullptr;
}

std::vector<double> cell_values_of(StoredArray& array, int64_t size) {
  const ArrayHeader& header = array.header();
  if (header.shape[0] != size)
    refuse("grid", header.file, ": ", header.name, " has ", header.shape[0], " values for ", size,
           " cells: one of them was extended or cut without the other; write ", header.name, " anew");
  std::vector<double> values = all_values(array);
  for (size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i]))
      refuse("grid", header.file, ": ", header.name, " has ",
             std::isnan(values[i]) ? "no value" : "an infinite one", " at cell ", i, " of ", size,
             ": each cell needs a place; write that value, or cut that cell off");
  }
  return values;
}

bool in_radians(const ArrayHeader& header) {
  return lower(text_attribute(header.attributes, "units")).starts_with("rad");
}

// Latitude or longitude, of cells also in radians, as ICON has them.
Coordinate place_kind(const ArrayHeader& header) {
  json attributes = header.attributes;
  if (in_radians(header)) attributes.erase("units");
  return coordinate_of(header.name, attributes);
}

std::vector<double> degrees_of(StoredArray& array, int64_t size) {
  std::vector<double> values = cell_values_of(array, size);
  if (!in_radians(array.header())) return values;
  for (double& value : values) value *= 180 / std::numbers::pi;
  return values;
}

// The part of the sphere of one unit of area; 0 where it is not known.
double unit_area_of(const ArrayHeader& header) {
  constexpr double earth = 6'371'229;  // m, the radius of numerical models
  const std::string units = lower(text_attribute(header.attributes, "units"));
  if (units == "m2" || units == "m^2" || units == "m**2" || units == "m 2")
    return 1 / (4 * std::numbers::pi * earth * earth);
  return units == "sr" || units == "steradian" ? 1 / (4 * std::numbers::pi) : 0;
}

bool is_healpix(const json& attributes) {
  return lower(text_attribute(attributes, "grid_mapping_name")) == "healpix" ||
         lower(text_attribute(attributes, "grid_name")) == "healpix";
}

// The first of these attributes that is a whole number.
std::optional<int64_t> number_in(const json& attributes, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const json value = attributes.value(name, json());
    const json& one = value.is_array() && value.size() == 1 ? value[0] : value;
    if (one.is_number()) return std::llround(one.get<double>());
  }
  return std::nullopt;
}

// `attributes` tell of HEALPix; `where` names them.
Healpix healpix_of(const json& attributes, int64_t size, const std::string& where) {
  Healpix healpix;
  const auto nside = number_in(attributes, {"healpix_nside", "nside"});
  const auto level = number_in(attributes, {"refinement_level", "healpix_level", "level"});
  constexpr int64_t deepest = 29;
  if (!nside && level && (*level < 0 || *level > deepest))
    refuse("grid", where, ": HEALPix of level ", *level, ": levels are 0 to ", deepest);
  const auto fitting = nside ? nside : level ? std::optional(int64_t{1} << *level) : nside_of(size);
  if (!fitting || *fitting < 1)
    refuse(
        "grid", where, ": ", size,
        " cells are no HEALPix of a whole sphere (12 nside^2), and no healpix_nside or refinement_level says which: "
        "write it");
  healpix.nside = *fitting;
  std::string order;
  for (const char* name : {"healpix_order", "indexing_scheme", "ordering", "order"}) {
    if (order.empty()) order = lower(text_attribute(attributes, name));
  }
  if (order == "nest" || order.empty()) order = "nested";
  const auto known = value_named<HealpixOrder>(order);
  if (!known)
    refuse("grid", where, ": HEALPix in the order ", order, ": known are ", words_of<HealpixOrder>());
  healpix.order = *known;
  if (!has_order(healpix.nside, healpix.order))
    refuse("grid", where, ": nside = ", healpix.nside, " in the order nested: it must be a power of two");
  return healpix;
}

Cells cells_of(const Healpix& healpix, StoredArray* numbers, int64_t size, const std::string& where) {
  if (!numbers && size == healpix.cells()) return healpix_cells(healpix);
  if (!numbers)
    refuse(
        "grid", where, ": nside = ", healpix.nside, " has ", healpix.cells(), " cells, but the fields have ",
        size,
        ": give the numbers of the cells (a coordinate along their dimension, with its name), or the right nside");
  std::vector<int64_t> all;
  for (const double number : cell_values_of(*numbers, size)) {
    all.push_back(std::llround(number));
    if (number != std::floor(number) || number < 0 || all.back() >= healpix.cells())
      refuse("grid", where, ": ", numbers->header().name, " has ", number, ": cells of nside ", healpix.nside,
             " are numbered 0 to ", healpix.cells() - 1);
  }
  return healpix_cells(healpix, all);
}

// What the data set says about HEALPix: the attributes, and where they are.
std::optional<std::pair<json, std::string>> healpix_attributes(const Dataset& data,
                                                               const StoredArray* numbers) {
  if (numbers && is_healpix(numbers->header().attributes))
    return std::pair(numbers->header().attributes, text(data.path, ": ", numbers->header().name));
  for (const auto& [name, attributes] : data.mappings) {
    if (is_healpix(attributes)) return std::pair(attributes, text(data.path, ": ", name));
  }
  return std::nullopt;
}

// What a data set says about the cells of one dimension; null where it does not.
struct Told {
  StoredArray *latitude, *longitude, *areas, *numbers;

  Told(const Dataset& data, const std::string& dimension) {
    const auto of_kind = [&](Coordinate kind) {
      return array_along(data, dimension,
                         [&](const ArrayHeader& header) { return place_kind(header) == kind; });
    };
    latitude = of_kind(Coordinate::latitude), longitude = of_kind(Coordinate::longitude);
    areas = array_along(data, dimension, has_areas), numbers = array_along(data, dimension, has_numbers);
  }
  bool placed() const { return latitude && longitude; }
};

Cells healpix_as_told(const Told& told, const json& attributes, int64_t size, const std::string& where) {
  Cells cells = cells_of(healpix_of(attributes, size, where), told.numbers, size, where);
  if (!told.placed()) return cells;
  if (!same_cells(cells, {"", degrees_of(*told.latitude, size), degrees_of(*told.longitude, size), {}}))
    refuse("grid", where, " says ", cells.name, ", but ", told.latitude->header().name, " and ",
           told.longitude->header().name,
           " lie elsewhere: correct nside or the order there, or leave it out");
  return cells;
}

Cells placed_cells(const Told& told, int64_t size, const std::string& where,
                   std::vector<std::string>& notes) {
  std::optional<std::vector<double>> areas;
  if (told.areas) areas = cell_values_of(*told.areas, size);
  std::string note;
  Cells cells = cells_at(degrees_of(*told.latitude, size), degrees_of(*told.longitude, size), areas,
                         told.areas ? unit_area_of(told.areas->header()) : 0, where, note);
  if (!note.empty()) notes.push_back(note);
  return cells;
}

}  // namespace

bool is_cell_dimension(const std::string& name) {
  static const std::set<std::string> names = {"cell",   "cells", "value",   "values",
                                              "ncells", "pix",   "cell_ids"};
  return names.contains(lower(name));
}

bool describes_cells(const ArrayHeader& header) {
  const Coordinate kind = place_kind(header);
  return header.shape.size() == 1 && (kind == Coordinate::latitude || kind == Coordinate::longitude ||
                                      has_areas(header) || has_numbers(header));
}

std::shared_ptr<const Cells> cells_along(const Dataset& data, const std::string& dimension, int64_t size,
                                         std::vector<std::string>& notes) {
  const Told told(data, dimension);
  const std::string where = text(data.path, ": ", dimension);
  const auto healpix = healpix_attributes(data, told.numbers);
  if (healpix && (told.placed() || told.numbers || is_cell_dimension(dimension)))
    return std::make_shared<Cells>(healpix_as_told(told, healpix->first, size, healpix->second));
  if (told.placed()) return std::make_shared<Cells>(placed_cells(told, size, where, notes));
  // Stores of km-scale models whose makers left the mapping out: nested, by their own convention.
  const auto nside = nside_of(size);
  if (!is_cell_dimension(dimension) || told.latitude || told.longitude || !nside ||
      !has_order(*nside, HealpixOrder::nested))
    return nullptr;
  notes.push_back(text(where, " has ", size, " cells and no places: taken for HEALPix, nested"));
  return std::make_shared<Cells>(healpix_cells({*nside, HealpixOrder::nested}));
}

}  // namespace graticule
