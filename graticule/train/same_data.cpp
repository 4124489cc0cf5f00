#include "graticule/train/same_data.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "graticule/core/error.h"
#include "graticule/data/cell_list.h"
#include "graticule/data/coordinates.h"
#include "graticule/data/units.h"
#include "graticule/train/manifest_entry.h"

namespace graticule {

namespace {

using nlohmann::json;

// The text as JSON stores it: bytes that are not UTF-8 are replaced.
std::string as_utf8(const std::string& bytes) {
  return json::parse(json(bytes).dump(-1, ' ', false, json::error_handler_t::replace)).get<std::string>();
}

std::string range_of(const char* name, const std::vector<double>& axis) {
  if (axis.empty()) return text("no ", name);
  return text(axis.size(), " ", name, " from ", axis.front(), " to ", axis.back());
}

// A manifest has the places of at most as many cells, spread evenly over the list: all of N320's half a million would be
// 20 MB of every checkpoint.
constexpr int64_t most_places = 4096;

std::vector<double> every_nth(const std::vector<double>& places, int64_t every) {
  std::vector<double> some;
  for (int64_t i = 0; i < std::ssize(places); i += every) some.push_back(places[static_cast<size_t>(i)]);
  return some;
}

// The first difference between two axes in words; "" when there is none.
std::string difference(const char* name, const DataForm& form, const std::vector<double>& trained,
                       const std::vector<double>& all_now, double near) {
  if (form.cells > 0 && form.cells != std::ssize(all_now))
    return text("it was trained on ", form.cells, " cells, the data have ", all_now.size());
  const std::vector<double> now = every_nth(all_now, form.every);
  if (trained.size() != now.size())
    return text("it was trained on ", range_of(name, trained), ", the data have ", range_of(name, now));
  for (size_t i = 0; i < now.size(); ++i) {
    // A longitude may be counted from another meridian, so multiples of 360 are equal.
    if (std::abs(std::remainder(trained[i] - now[i], 360.0)) <= near) continue;
    const std::string those = form.cells > 0 ? text(form.cells, " ", name) : range_of(name, trained);
    return text("of its ", those, " the one numbered ", static_cast<int64_t>(i) * form.every + 1, " is ",
                trained[i], ", the data's is ", now[i]);
  }
  return "";
}

}  // namespace

std::vector<int64_t> sizes_of(const Catalog& catalog) {
  std::vector<int64_t> sizes;
  for (const ImageAxis& axis : catalog.axes) sizes.push_back(std::ssize(axis.values));
  return sizes;
}

DataForm form_of(const Catalog& catalog, const std::vector<std::string>& variables,
                 const std::map<std::string, std::string>& known) {
  const int64_t cells = catalog.cells ? std::ssize(catalog.places_north()) : 0;
  const int64_t every = std::max<int64_t>(1, (cells + most_places - 1) / most_places);
  DataForm form{every_nth(catalog.places_north(), every),
                every_nth(catalog.places_east(), every),
                {},
                sizes_of(catalog),
                cells,
                every};
  for (const std::string& name : variables) {
    std::string& units = form.units[name];
    units = as_utf8(catalog.variables[catalog.index_of(name)].units);
    const auto before = known.find(name);
    if (units.empty() && before != known.end()) units = before->second;
  }
  return form;
}

json to_json(const DataForm& form) {
  json all = {{"latitudes", form.latitudes}, {"longitudes", form.longitudes}, {"units", form.units}};
  if (!form.sizes.empty()) all["sizes"] = form.sizes;
  if (form.cells > 0) all["cells"] = form.cells, all["every"] = form.every;
  return all;
}

DataForm data_form_from_json(const json& all, const std::string& checkpoint) {
  const auto number = [&](const char* key, int64_t absent) {
    return all.contains(key) ? entry<int64_t>(all, key, checkpoint) : absent;
  };
  return {
      entry<std::vector<double>>(all, "latitudes", checkpoint),
      entry<std::vector<double>>(all, "longitudes", checkpoint),
      entry<std::map<std::string, std::string>>(all, "units", checkpoint),
      all.contains("sizes") ? entry<std::vector<int64_t>>(all, "sizes", checkpoint) : std::vector<int64_t>(),
      number("cells", 0),
      std::max<int64_t>(1, number("every", 1))};
}

std::vector<std::string> refuse_other_data(const std::string& checkpoint,
                                           const std::optional<DataForm>& trained, const Catalog& catalog) {
  if (!trained) return {};
  refuse_other_grid(checkpoint, *trained, catalog);
  return refuse_other_units(checkpoint, *trained, catalog);
}

void refuse_other_grid(const std::string& checkpoint, const DataForm& trained, const Catalog& catalog) {
  for (const auto& [name, then, now] : {std::tuple{"latitudes", &trained.latitudes, &catalog.places_north()},
                                        {"longitudes", &trained.longitudes, &catalog.places_east()}}) {
    const std::string words =
        difference(name, trained, *then, *now, catalog.cells ? cell_tolerance : grid_tolerance(*then));
    if (words.empty()) continue;
    refuse("checkpoint", checkpoint, " is of another grid than '", catalog.path, "': ", words,
           "; name data on the grid it was trained on (data.path), or train anew into another run.out");
  }
  if (const auto sizes = sizes_of(catalog); !trained.sizes.empty() && sizes != trained.sizes)
    refuse("checkpoint", checkpoint, " was trained on images of ", sizes_in_words(trained.sizes),
           " pixels, those of '", catalog.path, "' have ", sizes_in_words(sizes),
           ": give images of that size, or train on crops (data.crop)");
}

std::vector<std::string> refuse_other_units(const std::string& checkpoint, const DataForm& trained,
                                            const Catalog& catalog) {
  std::vector<std::string> told;
  for (const auto& [name, units] : trained.units) {
    const std::string now = as_utf8(catalog.variables[catalog.index_of(name)].units);
    if (same_units(units, now)) continue;
    if (units.empty() || now.empty()) {
      told.push_back(text(name, ": the data ", now.empty() ? "name no unit" : "are in " + now,
                          ", the checkpoint's ", units.empty() ? "named none" : "were in " + units,
                          "; they are taken to be the same"));
      continue;
    }
    refuse("checkpoint", checkpoint, " was trained on ", name, " in ", units, ", '", catalog.path,
           "' has it in ", now, ": convert the data, or train anew into another run.out");
  }
  return told;
}

}  // namespace graticule
