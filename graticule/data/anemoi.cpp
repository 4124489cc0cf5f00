#include "graticule/data/anemoi.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <set>

#include "graticule/core/error.h"
#include "graticule/data/cf.h"
#include "graticule/data/channel_array.h"
#include "graticule/data/channels.h"
#include "graticule/data/memory_array.h"
#include "graticule/data/names.h"
#include "graticule/data/time.h"

namespace graticule {

namespace {

using nlohmann::json;

json attribute(const Dataset& data, const char* name) { return data.attributes.value(name, json()); }

std::vector<std::string> texts_in(const json& list) {
  std::vector<std::string> texts;
  for (const json& one : list.is_array() ? list : json::array()) {
    if (one.is_string()) texts.push_back(one.get<std::string>());
  }
  return texts;
}

void require_readable(const Dataset& data) {
  const auto& groups = data.groups;
  if (std::find(groups.begin(), groups.end(), "/_build") != groups.end())
    refuse("source", data.path,
           " is not finished: it still has the group _build; run the rest of `anemoi-datasets create`");
  const ArrayHeader& header = find_array(data, "data")->header();
  if (header.shape.size() != 4 || !find_array(data, "dates"))
    refuse(
        "source", data.path, ": data has ", header.shape.size(),
        " dimensions, or no array dates: only anemoi's gridded layout (time, variable, ensemble, cell) is read, no "
        "trajectories or observations");
}

std::vector<double> cells_along(Dataset& data, const char* name, const char* old_name, int64_t count) {
  std::unique_ptr<StoredArray> array = take_array(data, name);
  if (!array) array = take_array(data, old_name);
  if (!array) refuse("source", data.path, " has no array ", name, ": make the store anew");
  std::vector<double> values = all_values(*array);
  if (std::ssize(values) != count)
    refuse("source", data.path, ": data has ", count, " cells, but ", name, " has ", values.size(),
           " values: make the store anew");
  return values;
}

// The two axes of a grid whose cells follow each other row by row.
struct CellAxes {
  std::vector<double> outer, inner;
};

// Splits the cells into runs in which `outer` stays the same and every run has the values of `inner` of the
// first; nothing when the cells are no such grid.
std::optional<CellAxes> axes_of_cells(const std::vector<double>& outer, const std::vector<double>& inner) {
  constexpr double near = 1e-6;
  const auto same = [](double a, double b) { return std::abs(a - b) < near; };
  size_t run = 1;
  while (run < outer.size() && same(outer[run], outer[0])) ++run;
  if (outer.empty() || run < 2 || outer.size() % run != 0) return std::nullopt;
  CellAxes axes{{}, {inner.begin(), inner.begin() + static_cast<std::ptrdiff_t>(run)}};
  for (size_t i = 0; i < outer.size(); ++i) {
    if (i % run == 0) axes.outer.push_back(outer[i]);
    if (!same(outer[i], axes.outer.back()) || !same(inner[i], axes.inner[i % run])) return std::nullopt;
  }
  return axes;
}

// Adds the coordinates of the cells, and the dimensions and the shape of a part. Cells that are no grid of latitudes and
// longitudes stay a list.
void add_cells(Dataset& data, ChannelArray& from) {
  const int64_t cells = from.array->header().shape[3];
  const std::vector<double> latitudes = cells_along(data, "latitudes", "latitude", cells);
  const std::vector<double> longitudes = cells_along(data, "longitudes", "longitude", cells);
  std::optional<CellAxes> axes = axes_of_cells(latitudes, longitudes);
  const bool rows_outside = axes.has_value();
  if (!axes) axes = axes_of_cells(longitudes, latitudes);
  const auto add = [&](const std::string& name, const std::vector<double>& values,
                       const char* dimension = "") {
    const char* units = name == "latitude" ? "degrees_north" : "degrees_east";
    add_axis(data, name, {{"units", units}}, values, dimension);
  };
  if (!axes) {
    from.dimensions = {"time", "channel", "ensemble", "cell"};
    from.shape = {0, 1, 1, cells};
    add("latitude", latitudes, "cell");
    add("longitude", longitudes, "cell");
    return;
  }
  from.dimensions = {"time", "channel", "ensemble", "latitude", "longitude"};
  if (!rows_outside) std::swap(from.dimensions[3], from.dimensions[4]);
  from.shape = {0, 1, 1, std::ssize(axes->outer), std::ssize(axes->inner)};
  add(from.dimensions[3], axes->outer);
  add(from.dimensions[4], axes->inner);
}

// The indices of the dates that are there. Adds them as coordinate.
std::vector<int64_t> add_dates(Dataset& data, int64_t count) {
  const std::unique_ptr<StoredArray> dates = take_array(data, "dates");
  const std::vector<double> all = all_values(*dates);
  if (std::ssize(all) != count)
    refuse("source", data.path, ": data has ", count, " times, but dates has ", all.size(),
           ": make the store anew");
  const std::string units = text_attribute(dates->header().attributes, "units");
  if (units.empty()) refuse("source", data.path, ": dates are no dates (datetime64): make the store anew");
  const double second = parse_time_units(units, "proleptic_gregorian").seconds_a_unit;
  std::set<int64_t> missing;
  for (const std::string& date : texts_in(attribute(data, "missing_dates"))) missing.insert(parse_time(date));
  std::vector<double> kept;
  std::vector<int64_t> kept_at;
  for (size_t i = 0; i < all.size(); ++i) {
    if (missing.contains(std::llround(all[i] * second))) continue;
    kept.push_back(all[i]);
    kept_at.push_back(static_cast<int64_t>(i));
  }
  if (kept.size() < all.size())
    data.notes.push_back(text(data.path, ": ", all.size() - kept.size(), " of ", all.size(),
                              " times are left out: they are in its missing_dates"));
  add_axis(data, "time", {{"units", units}}, kept);
  return kept_at;
}

// What the store says about a variable: the short name of its parameter, its pressure level and its units.
struct VariableMetadata {
  std::string short_name, units;
  std::optional<double> level;
  bool of_model = false;  // the level is no pressure
};
std::optional<VariableMetadata> metadata_of(const json& all, const std::string& name) {
  const json about = all.is_object() ? all.value(name, json()) : json();
  if (!about.is_object()) return std::nullopt;
  const json mars = about.value("mars", about);
  const json param = mars.value("param", json()), level = mars.value("levelist", json()),
             units = about.value("units", json());
  if (!param.is_string()) return std::nullopt;
  VariableMetadata found{
      param.get<std::string>(), units.is_string() ? units.get<std::string>() : "", {}, false};
  if (level.is_number()) found.level = level.get<double>();
  if (level.is_string()) found.level = std::strtod(level.get<std::string>().c_str(), nullptr);
  found.of_model = found.level && mars.value("levtype", json("pl")) != "pl";
  return found;
}

std::vector<NamedChannel> channels_of(const Dataset& data, const std::vector<std::string>& names,
                                      const std::vector<int64_t>& times, bool listed) {
  const std::vector<std::string> constants = texts_in(attribute(data, "constant_fields"));
  const std::vector<std::string> own = texts_in(attribute(data, "variables"));
  const std::vector<std::string> variables = variables_of(names);
  std::vector<NamedChannel> channels;
  for (size_t i = 0; i < names.size(); ++i) {
    NamedChannel channel{names[i], variables[i], "", times, false};
    if (const auto known = metadata_of(attribute(data, "variables_metadata"), own[i])) {
      channel.units = known->units;
      if (!listed && known->of_model) channel.variable = names[i];
      if (!listed && !known->of_model && variables[i] == names[i])
        channel.variable = variable_of(known->short_name, known->level);
    }
    channel.constant = std::find(constants.begin(), constants.end(), own[i]) != constants.end();
    if (channel.constant && !times.empty()) channel.times->resize(1);
    channels.push_back(std::move(channel));
  }
  return channels;
}

}  // namespace

bool is_anemoi(const Dataset& data) {
  return attribute(data, "variables").is_array() && find_array(data, "data") != nullptr;
}

void split_anemoi(Dataset& data, const ChannelLayout& layout) {
  require_readable(data);
  ChannelArray from{take_array(data, "data"), 1, {0, 0, layout.member, 0}, {}, {}};
  const std::vector<int64_t> shape = from.array->header().shape;
  if (layout.member >= shape[2])
    refuse("source", data.path, " has ", shape[2], " members: data.layout.member = ", layout.member,
           " must be below");
  if (shape[2] > 1)
    data.notes.push_back(text(data.path, ": member ", layout.member, " of ", shape[2],
                              " is read; data.layout.member chooses another"));
  data.container += ", anemoi-datasets";
  data.labels["variable"] = texts_in(attribute(data, "variables"));
  const std::vector<std::string>& names = names_of_channels(data, "data", shape[1], "variable", layout);
  add_cells(data, from);
  const std::vector<int64_t> times = add_dates(data, shape[0]);
  add_channels(data, from, channels_of(data, names, times, !layout.names.empty()));
}

}  // namespace graticule
