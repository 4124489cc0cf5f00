#include "graticule/data/ome_zarr.h"

#include <algorithm>

#include "graticule/core/error.h"
#include "graticule/data/channel_names.h"
#include "graticule/data/memory_array.h"
#include "graticule/data/sliced_array.h"
#include "graticule/data/zarr_array.h"
#include "graticule/data/zarr_json.h"
#include "graticule/data/zarr_metadata.h"

namespace graticule {

namespace {

using nlohmann::json;

// The attributes of OME in a group; an empty object when it has none.
json ome_of(const KeyStore& store, const std::string& group) {
  if (const auto metadata = read_zarr_json(store, join_keys(group, "zarr.json")))
    return metadata->value("attributes", json::object()).value("ome", json::object());
  return read_zarr_json(store, join_keys(group, ".zattrs")).value_or(json::object());
}

enum class OmeKind { space, time, channel, other };

struct OmeAxis {
  std::string name, units;
  OmeKind kind = OmeKind::other;
  double scale = 1, shift = 0;  // of the coordinates of this level
};

// What an axis is: its type says it. The format leaves the name free, and asks for no type where it is one of its own.
OmeKind kind_of(const std::string& name, const std::string& type) {
  if (type == "channel" || (type.empty() && name == "c")) return OmeKind::channel;
  if (type == "time" || (type.empty() && name == "t")) return OmeKind::time;
  const bool place = name == "x" || name == "y" || name == "z";
  return type == "space" || (type.empty() && place) ? OmeKind::space : OmeKind::other;
}

// The name of an axis as a dimension: those of times and channels have the names by which they are known (image_roles.h).
std::string dimension_of(const OmeAxis& axis) {
  return axis.kind == OmeKind::channel ? "c" : axis.kind == OmeKind::time ? "t" : axis.name;
}

// One level of an image or a label.
struct OmeLevel {
  std::shared_ptr<StoredArray> array;
  std::vector<OmeAxis> axes;
};

std::unique_ptr<StoredArray> open_level(const Keys& store, const std::string& key,
                                        const std::vector<OmeAxis>& axes,
                                        const std::shared_ptr<ChunkCache>& cache) {
  const std::string where = join_keys(store->name(), key);
  std::optional<ZarrMetadata> array;
  if (const auto metadata = read_zarr_json(*store, join_keys(key, "zarr.json"))) {
    array = parse_zarr3(*metadata, "image", where);
  } else if (const auto older = read_zarr_json(*store, join_keys(key, ".zarray"))) {
    array = parse_zarr2(*older, json::object(), "image", where);
    // The fill value is what was never written, black mostly. It marks nothing as missing.
    if (array) array->header.packing.missing.clear();
  } else {
    fail("ome_zarr", where, " is named by multiscales, but holds no array: write the image anew");
  }
  if (!array) refuse("ome_zarr", where, " holds no real numbers");
  if (array->header.shape.size() != axes.size())
    fail("ome_zarr", where, " has ", array->header.shape.size(), " dimensions, but the image has ",
         axes.size(), " axes: write the image anew");
  array->header.dimensions.clear();
  for (const OmeAxis& axis : axes) array->header.dimensions.push_back(dimension_of(axis));
  return open_zarr_array(std::move(*array), store, key, cache);
}

// Applies transformations of coordinates: a scale or a translation for each axis.
void transform(const json& transformations, std::vector<OmeAxis>& axes, const std::string& where) {
  if (!transformations.is_array()) return;
  for (const json& one : transformations) {
    const std::string type = one.value("type", "");
    if (type != "scale" && type != "translation") continue;
    const json values = one.value(type, json::array());
    if (values.size() != axes.size())
      fail("ome_zarr", where, " has a ", type, " of ", values.size(), " numbers for ", axes.size(),
           " axes: write its metadata anew");
    for (size_t d = 0; d < axes.size(); ++d) {
      const double value = values[d].get<double>();
      if (type == "scale") axes[d].scale *= value, axes[d].shift *= value;
      if (type == "translation") axes[d].shift += value;
    }
  }
}

std::string shapes_of(const Keys& store, const std::string& group, const json& datasets,
                      const std::vector<OmeAxis>& axes, const std::shared_ptr<ChunkCache>& cache) {
  std::string list;
  for (size_t level = 0; level < datasets.size(); ++level) {
    const auto array = open_level(store, join_keys(group, datasets[level].value("path", "")), axes, cache);
    list += text(list.empty() ? "" : ", ", level, " (", sizes_in_words(array->header().shape), ")");
  }
  return list;
}

OmeLevel open_image(const Keys& store, const std::string& group, const json& ome, int64_t level,
                    const std::shared_ptr<ChunkCache>& cache) {
  const std::string where = group.empty() ? store->name() : join_keys(store->name(), group);
  const json& scales = required(ome, "multiscales", where);
  if (!scales.is_array() || scales.empty())
    fail("ome_zarr", where, " has no multiscales: write its metadata anew");
  const json& first = scales[0];
  std::vector<OmeAxis> axes;
  for (const json& axis : required(first, "axes", where)) {
    if (!axis.is_object())
      refuse("ome_zarr", where, " is of version 0.3 or earlier: rewrite it as 0.4 or 0.5");
    const std::string name = required(axis, "name", where).get<std::string>();
    axes.push_back({name, axis.value("unit", ""), kind_of(name, axis.value("type", ""))});
  }
  const json& datasets = required(first, "datasets", where);
  if (level < 0 || level >= std::ssize(datasets))
    refuse("ome_zarr", where, " has no level ", level, " of resolution: it has ",
           shapes_of(store, group, datasets, axes, cache));
  const json& chosen = datasets[static_cast<size_t>(level)];
  transform(chosen.value("coordinateTransformations", json()), axes, where);
  transform(first.value("coordinateTransformations", json()), axes, where);
  return {
      open_level(store, join_keys(group, required(chosen, "path", where).get<std::string>()), axes, cache),
      axes};
}

// The names of the channels (omero), where each has another one.
std::vector<std::string> channel_names(const json& ome, int64_t channels) {
  const json list = ome.value("omero", json::object()).value("channels", json::array());
  std::vector<std::string> names;
  for (const json& channel : list) names.push_back(channel.value("label", ""));
  return distinct_names(std::move(names), channels);
}

void add_under(const std::string& name, const std::shared_ptr<StoredArray>& whole,
               const std::vector<std::optional<int64_t>>& fixed, Dataset& data) {
  ArrayHeader header = whole->header();
  header.name = name;
  header.dimensions.clear();
  for (size_t d = 0; d < fixed.size(); ++d) {
    if (!fixed[d]) header.dimensions.push_back(whole->header().dimensions[d]);
  }
  data.arrays.push_back(slice_of(whole, std::move(header), fixed));
}

void add_image(const OmeLevel& image, const json& ome, Dataset& data) {
  std::vector<std::optional<int64_t>> fixed(image.axes.size());
  const auto channel = std::find_if(image.axes.begin(), image.axes.end(),
                                    [](const auto& a) { return a.kind == OmeKind::channel; });
  const auto at = static_cast<size_t>(channel - image.axes.begin());
  const std::vector<std::string> names =
      at < fixed.size() ? channel_names(ome, image.array->header().shape[at]) : std::vector<std::string>{};
  for (size_t c = 0; c < names.size(); ++c) {
    fixed[at] = static_cast<int64_t>(c);
    add_under(names[c], image.array, fixed, data);
  }
  if (names.empty()) add_under("image", image.array, fixed, data);
  for (size_t d = 0; d < image.axes.size(); ++d) {
    const OmeAxis& axis = image.axes[d];
    if (axis.kind == OmeKind::space)
      add_axis(data, axis.name, {{"units", axis.units}},
               even_places(image.array->header().shape[d], axis.shift, axis.scale));
  }
}

}  // namespace

bool is_ome_zarr(const KeyStore& store, const std::string& group) {
  return ome_of(store, group).contains("multiscales");
}

Dataset open_ome_zarr(const Keys& store, const std::string& group, int64_t level,
                      const std::shared_ptr<ChunkCache>& cache) try {
  const json ome = ome_of(*store, group);
  Dataset data;
  data.path = group.empty() ? store->name() : join_keys(store->name(), group);
  data.container = "OME-Zarr";
  add_image(open_image(store, group, ome, level, cache), ome, data);
  const std::string folder = join_keys(group, "labels");
  for (const json& name : ome_of(*store, folder).value("labels", json::array())) {
    const std::string label = name.get<std::string>(), key = join_keys(folder, label);
    // A label has no channels of its own.
    OmeLevel own = open_image(store, key, ome_of(*store, key), level, cache);
    std::vector<std::optional<int64_t>> fixed(own.axes.size());
    for (size_t d = 0; d < fixed.size(); ++d) {
      if (own.axes[d].kind == OmeKind::channel && own.array->header().shape[d] == 1) fixed[d] = 0;
    }
    add_under(label, own.array, fixed, data);
  }
  return data;
} catch (const json::exception&) {
  fail("ome_zarr", join_keys(store->name(), group),
       " has a key of another type than the format asks for: write its metadata anew");
}

}  // namespace graticule
