#include "graticule/data/zarr.h"

#include <algorithm>
#include <map>

#include "graticule/core/error.h"
#include "graticule/data/cf.h"
#include "graticule/data/references.h"
#include "graticule/data/zarr_array.h"
#include "graticule/data/zarr_json.h"
#include "graticule/data/zarr_metadata.h"
#include "graticule/data/zarr_text.h"

namespace graticule {

namespace {

using nlohmann::json;

bool is_top_level(const std::string& key) { return !key.empty() && key.find('/') == std::string::npos; }

// The group that is read, and where its arrays go.
struct Group {
  const Keys& store;
  std::string key;  // "" for the root
  const std::shared_ptr<ChunkCache>& cache;
  Dataset& data;

  std::string path(const std::string& name) const { return join_keys(key, name); }
  std::optional<json> read(const std::string& name) const { return read_zarr_json(*store, path(name)); }
};

void add_array(const Group& group, const std::string& name, const json& attributes, size_t rank,
               std::optional<ZarrMetadata> array) {
  Dataset& data = group.data;
  if (!text_attribute(attributes, "grid_mapping_name").empty()) data.mappings[name] = attributes;
  if (!array && rank > 1) data.notes.push_back(data.path + "/" + name + " holds no real numbers: not read");
  if (!array) return;
  if (array->header.dimensions.size() != array->header.shape.size()) {
    data.notes.push_back(data.path + "/" + name + ": not read, because its dimensions have no names");
    return;
  }
  data.notes.insert(data.notes.end(), array->notes.begin(), array->notes.end());
  data.arrays.push_back(open_zarr_array(std::move(*array), group.store, group.path(name), group.cache));
}

void add_array2(const Group& group, const std::string& name, const json& array, const json& attributes) {
  const std::string folder = group.data.path + "/" + name;
  try {
    const size_t rank = required(array, "shape", folder).size();
    auto numbers = parse_zarr2(array, attributes, name, folder);
    if (auto labels = numbers ? std::nullopt : read_texts2(array, group.store, group.path(name)))
      group.data.labels[name] = std::move(*labels);
    add_array(group, name, attributes, rank, std::move(numbers));
  } catch (const json::exception&) {
    fail("zarr", folder, "/.zarray has a key of another type than format 2 asks for: write the array anew");
  }
}

void add_array3(const Group& group, const std::string& name, const json& array) {
  const std::string folder = group.data.path + "/" + name;
  try {
    const size_t rank = required(array, "shape", folder).size();
    auto numbers = parse_zarr3(array, name, folder);
    if (auto labels = numbers ? std::nullopt : read_texts3(array, group.store, group.path(name)))
      group.data.labels[name] = std::move(*labels);
    add_array(group, name, array.value("attributes", json::object()), rank, std::move(numbers));
  } catch (const json::exception&) {
    fail("zarr", folder, "/zarr.json has a key of another type than format 3 asks for: write the array anew");
  }
}

void add_arrays2(const Group& group) {
  if (const std::optional<json> all = group.read(".zmetadata")) {
    const json& metadata = required(*all, "metadata", group.data.path + "/.zmetadata");
    for (const auto& [key, value] : metadata.items()) {
      const size_t slash = key.find('/');
      if (slash == std::string::npos) continue;
      const std::string name = key.substr(0, slash), rest = key.substr(slash + 1);
      if (rest == ".zgroup") group.data.groups.push_back("/" + name);
      if (rest == ".zarray" && group.store->find(group.path(name + "/refs.0.parq")))
        refuse_parquet(group.data.path);
      if (rest == ".zarray")
        add_array2(group, name, value, metadata.value(name + "/.zattrs", json::object()));
    }
    return;
  }
  for (const std::string& name : group.store->names_in(group.key)) {
    if (const std::optional<json> array = group.read(name + "/.zarray")) {
      add_array2(group, name, *array, group.read(name + "/.zattrs").value_or(json::object()));
    } else if (group.store->find(group.path(name + "/.zgroup"))) {
      group.data.groups.push_back("/" + name);
    }
  }
}

void add_node3(const Group& group, const std::string& name, const json& node) {
  const json type = node.value("node_type", json());
  if (type == "array") add_array3(group, name, node);
  if (type == "group") group.data.groups.push_back("/" + name);
}

void add_arrays3(const Group& group, const json& metadata) {
  const json consolidated = metadata.value("consolidated_metadata", json());
  if (consolidated.is_object() && consolidated.contains("metadata")) {
    for (const auto& [name, node] : consolidated["metadata"].items()) {
      if (is_top_level(name)) add_node3(group, name, node);
    }
    return;
  }
  for (const std::string& name : group.store->names_in(group.key)) {
    if (const std::optional<json> node = group.read(name + "/zarr.json")) add_node3(group, name, *node);
  }
}

// Adds coordinates of the group above, which also apply to the groups below it (xarray's DataTree writes them
// once).
void add_coordinates_above(const Group& group) {
  if (group.key.empty()) return;
  const size_t slash = group.key.rfind('/');
  const std::string parent = slash == std::string::npos ? "" : group.key.substr(0, slash);
  if (!is_zarr(*group.store, parent)) return;
  Dataset above = open_zarr(group.store, parent, group.cache);
  std::vector<std::unique_ptr<StoredArray>>& arrays = group.data.arrays;
  for (auto& array : above.arrays) {
    const ArrayHeader& header = array->header();
    const bool known = std::any_of(arrays.begin(), arrays.end(),
                                   [&](const auto& own) { return own->header().name == header.name; });
    if (describes_axes(header) && !known) arrays.push_back(std::move(array));
  }
}

}  // namespace

bool is_zarr(const KeyStore& store, const std::string& group) {
  for (const char* name : {".zmetadata", "zarr.json", ".zgroup", ".zarray"}) {
    if (store.find(join_keys(group, name))) return true;
  }
  return false;
}

Dataset open_zarr(const Keys& store, const std::string& key, const std::shared_ptr<ChunkCache>& cache) try {
  Dataset data;
  data.path = key.empty() ? store->name() : join_keys(store->name(), key);
  const Group group{store, key, cache, data};
  const std::optional<json> metadata = group.read("zarr.json");
  if (store->find(join_keys(key, ".zarray")) ||
      (metadata && metadata->value("node_type", json()) == "array")) {
    refuse("zarr", data.path, " is one array of a store: give the folder above it");
  }
  data.container = metadata ? "Zarr 3" : "Zarr 2";
  data.attributes = metadata ? metadata->value("attributes", json::object())
                             : group.read(".zattrs").value_or(json::object());
  data.provenance = text_attribute(data.attributes, "source");
  metadata ? add_arrays3(group, *metadata) : add_arrays2(group);
  add_coordinates_above(group);
  return data;
} catch (const json::exception&) {
  fail("zarr", join_keys(store->name(), key),
       " has a key of another type than its format asks for: write the metadata of the store anew");
}

Dataset open_zarr(const std::string& folder, const std::shared_ptr<ChunkCache>& cache) {
  std::string root = folder, group;
  for (size_t slash = root.rfind('/'); slash != std::string::npos && slash > 0; slash = root.rfind('/')) {
    if (!is_zarr(*open_folder_store(root.substr(0, slash)), "")) break;
    group = group.empty() ? root.substr(slash + 1) : join_keys(root.substr(slash + 1), group);
    root.resize(slash);
  }
  return open_zarr(open_folder_store(root), group, cache);
}

}  // namespace graticule
