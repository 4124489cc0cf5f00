#include "graticule/data/coordinates.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <set>
#include <stdexcept>

#include "graticule/core/error.h"
#include "graticule/data/cell_coordinates.h"
#include "graticule/data/time.h"

namespace graticule {

namespace {

std::string place_of(const StoredArray& array) { return array.header().file + ": " + array.header().name; }

void require_numbers(const std::vector<double>& values, const StoredArray& array) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    refuse("grid", place_of(array), " has ", std::isnan(values[i]) ? "no value" : "an infinite one",
           " at index ", i, " of ", values.size(),
           ": coordinates must be numbers; write that value, or cut that index off");
  }
}

TimeUnits units_of(const StoredArray& array) try {
  const nlohmann::json& attributes = array.header().attributes;
  return parse_time_units(text_attribute(attributes, "units"), text_attribute(attributes, "calendar"));
} catch (const std::invalid_argument& error) {
  refuse("grid", place_of(array), ": ", error.what());
}

// How far a number of the file may be from what was meant, relative to it: half of its last digit.
double precision_of(NumberType type) {
  return type == NumberType::f4   ? std::numeric_limits<float>::epsilon() / 2
         : type == NumberType::f8 ? std::numeric_limits<double>::epsilon() / 2
                                  : 0;
}

int64_t time_in(double value, const TimeUnits& units, const StoredArray& array) try {
  return time_of(value, units, precision_of(array.header().type));
} catch (const std::invalid_argument& error) {
  refuse("grid", place_of(array), ": ", error.what());
}

std::vector<int64_t> times_of(const std::vector<double>& values, const StoredArray& array,
                              const TimeUnits& units) {
  constexpr double far = 4e11;  // seconds: more than 12,000 years
  std::vector<int64_t> times;
  if (units.dates && array.header().type == NumberType::f4)
    refuse("grid", place_of(array),
           " holds dates in 32 bits, which have no room for the hour: write them in 64 bits");
  for (const double value : values) {
    const double seconds = value * units.seconds_a_unit;
    if (!units.dates && std::abs(seconds) > far)
      refuse("grid", place_of(array), " holds ", value, " ",
             text_attribute(array.header().attributes, "units"),
             ": that is more than 12,000 years from its origin; correct its units or its values");
    times.push_back(time_in(value, units, array));
    if (times.back() < units.earliest)
      refuse("grid", place_of(array), " holds ", value, " ",
             text_attribute(array.header().attributes, "units"),
             ", before 1582-10-15, where the calendar standard is Julian: write the times in the calendar "
             "proleptic_gregorian or julian");
  }
  return times;
}

std::string note_of_order(const CoordinateAxis& axis, const StoredArray& array) {
  const auto back = std::adjacent_find(axis.times.begin(), axis.times.end(), std::greater_equal<>());
  return text(place_of(array), " is not in order: ", format_time(*(back + 1), axis.calendar), " comes after ",
              format_time(*back, axis.calendar), " at index ", back - axis.times.begin() + 1, " of ",
              axis.times.size(), ": it is read in order of time; check that no time is wrong");
}

// Reads one axis. Returns nothing, with a note, for levels that are no pressures.
std::optional<CoordinateAxis> read_axis(StoredArray& array, Coordinate kind,
                                        std::vector<std::string>& notes) {
  const nlohmann::json& attributes = array.header().attributes;
  CoordinateAxis axis{kind, array.header().name, all_values(array), {}, Calendar::gregorian, 0};
  require_numbers(axis.values, array);
  if (kind == Coordinate::level) {
    auto levels = levels_in_hectopascal(axis.values, text_attribute(attributes, "units"));
    if (!levels) {
      notes.push_back(text(place_of(array), " has no units, and its values (", axis.values.front(), " to ",
                           axis.values.back(), ") are no pressures in hPa: give it the attribute units"));
      return std::nullopt;
    }
    axis.values = *levels;
  }
  if (kind == Coordinate::time) {
    const TimeUnits time_units = units_of(array);
    axis.times = times_of(axis.values, array, time_units);
    axis.calendar = time_units.calendar;
    axis.validity = validity_of(array.header().name, attributes);
    const auto& t = axis.times;
    if (!std::is_sorted(t.begin(), t.end()) && !std::is_sorted(t.rbegin(), t.rend()))
      notes.push_back(note_of_order(axis, array));
  }
  if (kind == Coordinate::lead) {
    const std::string units = text_attribute(attributes, "units");
    for (double& value : axis.values) value *= seconds_in_lead_unit(lower(units));
  }
  return axis;
}

// Ranks the arrays that could be a dimension's coordinate: 2 or 3 for a time of validity, 1 for the array
// with the dimension's own name, 0 for others.
int claim_of(const ArrayHeader& header, Coordinate kind) {
  const bool own = header.name == header.dimensions[0];
  const bool valid = kind == Coordinate::time && validity_of(header.name, header.attributes) == surely_valid;
  return 2 * valid + own;
}

void note_other_time(const CoordinateAxis& axis, const StoredArray& other, Coordinates& all) {
  if (axis.kind != Coordinate::time || axis.name == other.header().name) return;
  all.notes.push_back(text("times are taken from ", axis.name, ", the times of validity, not from ",
                           other.header().name, " (", other.header().file, ")"));
}

// For each dimension that fields have: the one-dimensional arrays along it that could be its coordinate.
std::map<std::string, std::vector<StoredArray*>> claims_by_dimension(const Dataset& data) {
  std::set<std::string> needed;
  for (const auto& array : data.arrays) {
    const ArrayHeader& header = array->header();
    if (header.shape.size() > 1) needed.insert(header.dimensions.begin(), header.dimensions.end());
  }
  std::map<std::string, std::vector<StoredArray*>> claims;
  for (const auto& array : data.arrays) {
    const ArrayHeader& header = array->header();
    if (header.shape.size() != 1 || header.shape[0] == 0 || !needed.contains(header.dimensions[0])) continue;
    const Coordinate kind = coordinate_of(header.name, header.attributes);
    // Pressures along model levels (`ap`, hybrid coefficients) are not pressure levels.
    const bool pressures = kind == Coordinate::level && header.name != header.dimensions[0] &&
                           !is_level_name(header.name, header.attributes);
    if (kind != Coordinate::none && !pressures) claims[header.dimensions[0]].push_back(array.get());
  }
  return claims;
}

void read_dimension(const std::string& dimension, std::vector<StoredArray*> claims, bool has_own,
                    Coordinates& all) {
  const auto kind = [](const StoredArray* a) {
    return coordinate_of(a->header().name, a->header().attributes);
  };
  // If the dimension's own coordinate is of an unknown kind, only a time of validity may replace it.
  std::erase_if(claims, [&](const StoredArray* a) { return has_own && claim_of(a->header(), kind(a)) == 0; });
  if (claims.empty()) return;
  const auto first = std::max_element(claims.begin(), claims.end(), [&](const auto* a, const auto* b) {
    return claim_of(a->header(), kind(a)) < claim_of(b->header(), kind(b));
  });
  const auto has = [&](Coordinate wanted) {
    return std::any_of(claims.begin(), claims.end(), [&](const auto* a) { return kind(a) == wanted; });
  };
  const bool cells = (kind(*first) == Coordinate::latitude && has(Coordinate::longitude)) ||
                     (kind(*first) == Coordinate::longitude && has(Coordinate::latitude));
  if (cells) {
    all.notes.push_back(
        text("dimension ", dimension, " (", (*first)->header().file,
             ") has both latitudes and longitudes: points of an unstructured grid, not read"));
    return;
  }
  std::optional<CoordinateAxis> axis = read_axis(**first, kind(*first), all.notes);
  if (!axis) return;
  for (const StoredArray* other : claims) {
    if (other != *first && kind(other) == Coordinate::time) note_other_time(*axis, *other, all);
  }
  all.axes.emplace(dimension, std::move(*axis));
}

// Reads a scalar coordinate. An unusable one gets a note and does not stop the reading of fields.
void read_scalar(StoredArray& array, Coordinates& all) {
  const ArrayHeader& header = array.header();
  const Coordinate kind = coordinate_of(header.name, header.attributes);
  try {
    if (kind == Coordinate::none) {
      all.others[header.name] = all_values(array)[0];
    } else if (auto axis = read_axis(array, kind, all.notes)) {
      all.scalars.emplace(header.name, std::move(*axis));
    }
  } catch (const std::invalid_argument& error) {
    if (kind != Coordinate::none) all.notes.push_back(text(error.what(), " (", header.name, " is not used)"));
  }
}

// The dimensions of cells, of the arrays that are no coordinates themselves. A dimension with latitudes as well as
// longitudes of its name (a list of grid points) is one, too.
std::map<std::string, std::shared_ptr<const Cells>> cells_by_dimension(const Dataset& data,
                                                                       std::vector<std::string>& notes) {
  std::map<std::string, std::shared_ptr<const Cells>> all;
  std::set<std::string> asked;
  for (const auto& array : data.arrays) {
    const ArrayHeader& header = array->header();
    if (header.shape.size() == 1 && (describes_cells(header) || !is_cell_dimension(header.dimensions[0])))
      continue;
    for (size_t d = 0; d < header.shape.size(); ++d) {
      if (header.shape[d] < 2 || !asked.insert(header.dimensions[d]).second) continue;
      if (auto cells = cells_along(data, header.dimensions[d], header.shape[d], notes))
        all[header.dimensions[d]] = std::move(cells);
    }
  }
  return all;
}

// Whether a coordinate has a meaning. One that only counts (0, 1, 2, ...) has none, so another may describe
// its dimension.
bool says_something(const ArrayHeader& header) {
  return !text_attribute(header.attributes, "units").empty() ||
         !text_attribute(header.attributes, "standard_name").empty() ||
         !text_attribute(header.attributes, "axis").empty() ||
         coordinate_of(header.name, header.attributes) != Coordinate::none;
}

}  // namespace

Coordinates read_coordinates(const Dataset& data, GridKind grid) {
  Coordinates all;
  const auto has_own = [&](const std::string& dimension) {
    return std::any_of(data.arrays.begin(), data.arrays.end(), [&](const auto& array) {
      const ArrayHeader& header = array->header();
      return header.name == dimension && header.shape.size() == 1 && says_something(header);
    });
  };
  if (grid == GridKind::cells) all.cells = cells_by_dimension(data, all.notes);
  for (auto& [dimension, claims] : claims_by_dimension(data)) {
    if (!all.cells.contains(dimension)) read_dimension(dimension, claims, has_own(dimension), all);
  }
  for (const auto& array : data.arrays) {
    const ArrayHeader& header = array->header();
    const bool own = header.shape.size() == 1 && header.shape[0] == 1 && header.name == header.dimensions[0];
    if (header.shape.empty() || (own && !all.axes.contains(header.name))) read_scalar(*array, all);
  }
  return all;
}

}  // namespace graticule
