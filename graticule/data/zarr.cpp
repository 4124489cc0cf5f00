#include "graticule/data/zarr.h"

#include <algorithm>
#include <map>

#include "graticule/core/error.h"
#include "graticule/data/cf.h"
#include "graticule/data/file_bytes.h"
#include "graticule/data/zarr_array.h"
#include "graticule/data/zarr_json.h"
#include "graticule/data/zarr_metadata.h"
#include "graticule/data/zarr_text.h"

namespace graticule {

namespace {

using nlohmann::json;

bool is_top_level(const std::string& key) { return !key.empty() && key.find('/') == std::string::npos; }

void add_array(Dataset& data, const std::string& name, const json& attributes, size_t rank,
               std::optional<ZarrMetadata> array, const std::shared_ptr<ChunkCache>& cache) {
  const std::string mapping = text_attribute(attributes, "grid_mapping_name");
  if (!mapping.empty()) data.mappings[name] = mapping;
  if (!array && rank > 1) data.notes.push_back(data.path + "/" + name + " holds no numbers: not read");
  if (!array) return;
  if (array->header.dimensions.size() != array->header.shape.size()) {
    data.notes.push_back(data.path + "/" + name + ": not read, because its dimensions have no names");
    return;
  }
  data.arrays.push_back(open_zarr_array(std::move(*array), cache));
}

void add_array2(Dataset& data, const std::string& name, const json& array, const json& attributes,
                const std::shared_ptr<ChunkCache>& cache) {
  const std::string folder = data.path + "/" + name;
  try {
    const size_t rank = required(array, "shape", folder).size();
    auto numbers = parse_zarr2(array, attributes, name, folder);
    if (auto labels = numbers ? std::nullopt : read_texts2(array, folder))
      data.labels[name] = std::move(*labels);
    add_array(data, name, attributes, rank, std::move(numbers), cache);
  } catch (const json::exception&) {
    fail("zarr", folder, "/.zarray has a key of another type than format 2 asks for: write the array anew");
  }
}

void add_array3(Dataset& data, const std::string& name, const json& array,
                const std::shared_ptr<ChunkCache>& cache) {
  const std::string folder = data.path + "/" + name;
  try {
    const size_t rank = required(array, "shape", folder).size();
    auto numbers = parse_zarr3(array, name, folder);
    if (auto labels = numbers ? std::nullopt : read_texts3(array, folder))
      data.labels[name] = std::move(*labels);
    add_array(data, name, array.value("attributes", json::object()), rank, std::move(numbers), cache);
  } catch (const json::exception&) {
    fail("zarr", folder, "/zarr.json has a key of another type than format 3 asks for: write the array anew");
  }
}

void add_arrays2(Dataset& data, const std::shared_ptr<ChunkCache>& cache) {
  if (const std::optional<json> all = read_zarr_json(data.path + "/.zmetadata")) {
    const json& metadata = required(*all, "metadata", data.path + "/.zmetadata");
    for (const auto& [key, value] : metadata.items()) {
      const size_t slash = key.find('/');
      if (slash == std::string::npos) continue;
      const std::string name = key.substr(0, slash), rest = key.substr(slash + 1);
      if (rest == ".zgroup") data.groups.push_back("/" + name);
      if (rest == ".zarray")
        add_array2(data, name, value, metadata.value(name + "/.zattrs", json::object()), cache);
    }
    return;
  }
  for (const std::string& name : names_in(data.path)) {
    const std::string base = data.path + "/" + name;
    if (const std::optional<json> array = read_zarr_json(base + "/.zarray")) {
      add_array2(data, name, *array, read_zarr_json(base + "/.zattrs").value_or(json::object()), cache);
    } else if (file_size(base + "/.zgroup")) {
      data.groups.push_back("/" + name);
    }
  }
}

void add_node3(Dataset& data, const std::string& name, const json& node,
               const std::shared_ptr<ChunkCache>& cache) {
  const json type = node.value("node_type", json());
  if (type == "array") add_array3(data, name, node, cache);
  if (type == "group") data.groups.push_back("/" + name);
}

void add_arrays3(Dataset& data, const json& group, const std::shared_ptr<ChunkCache>& cache) {
  const json consolidated = group.value("consolidated_metadata", json());
  if (consolidated.is_object() && consolidated.contains("metadata")) {
    for (const auto& [name, node] : consolidated["metadata"].items()) {
      if (is_top_level(name)) add_node3(data, name, node, cache);
    }
    return;
  }
  for (const std::string& name : names_in(data.path)) {
    if (const std::optional<json> node = read_zarr_json(data.path + "/" + name + "/zarr.json"))
      add_node3(data, name, *node, cache);
  }
}

// Adds coordinates of the group above, which also apply to the groups below it (xarray's DataTree writes them
// once).
void add_coordinates_above(Dataset& data, const std::shared_ptr<ChunkCache>& cache) {
  const size_t slash = data.path.rfind('/');
  if (slash == std::string::npos || slash == 0 || !is_zarr(data.path.substr(0, slash))) return;
  Dataset above = open_zarr(data.path.substr(0, slash), cache);
  for (auto& array : above.arrays) {
    const ArrayHeader& header = array->header();
    const bool known = std::any_of(data.arrays.begin(), data.arrays.end(),
                                   [&](const auto& own) { return own->header().name == header.name; });
    if (describes_axes(header) && !known) data.arrays.push_back(std::move(array));
  }
}

}  // namespace

bool is_zarr(const std::string& folder) {
  for (const char* name : {"/.zmetadata", "/zarr.json", "/.zgroup", "/.zarray"}) {
    if (file_size(folder + name)) return true;
  }
  return false;
}

Dataset open_zarr(const std::string& folder, const std::shared_ptr<ChunkCache>& cache) {
  const std::optional<json> group = read_zarr_json(folder + "/zarr.json");
  if (file_size(folder + "/.zarray") || (group && group->value("node_type", json()) == "array")) {
    refuse("zarr", folder, " is one array of a store: give the folder above it");
  }
  Dataset data;
  data.path = folder;
  data.container = group ? "Zarr 3" : "Zarr 2";
  data.attributes = group ? group->value("attributes", json::object())
                          : read_zarr_json(folder + "/.zattrs").value_or(json::object());
  data.provenance = text_attribute(data.attributes, "source");
  group ? add_arrays3(data, *group, cache) : add_arrays2(data, cache);
  add_coordinates_above(data, cache);
  return data;
}

}  // namespace graticule
