#include "graticule/data/zarr.h"

#include <algorithm>
#include <map>

#include "graticule/core/error.h"
#include "graticule/data/cf.h"
#include "graticule/data/file_bytes.h"
#include "graticule/data/zarr_array.h"
#include "graticule/data/zarr_metadata.h"

namespace graticule {

namespace {

using nlohmann::json;

constexpr const char* where = "zarr";
constexpr size_t cache_bytes = size_t{64} << 20;  // decoded chunks kept, a store

json parse_json(const std::string& text, const std::string& file) {
  try {
    return json::parse(text);
  } catch (const json::exception&) {
    fail(where, file, " is no JSON (cut off?): copy it again");
  }
}

std::optional<json> read_json(const std::string& file) {
  const std::optional<std::string> text = read_text(file);
  return text ? std::optional(parse_json(*text, file)) : std::nullopt;
}

// Name of each top-level array of a format 2 store -> its two files.
std::map<std::string, std::pair<json, json>> arrays2(const std::string& folder) {
  std::map<std::string, std::pair<json, json>> arrays;
  if (const std::optional<json> all = read_json(folder + "/.zmetadata")) {
    const json& metadata = all->at("metadata");
    for (const auto& [key, value] : metadata.items()) {
      const size_t slash = key.find('/');
      if (slash == std::string::npos || key.substr(slash + 1) != ".zarray") continue;
      const std::string name = key.substr(0, slash);
      arrays[name] = {value, metadata.value(name + "/.zattrs", json::object())};
    }
    return arrays;
  }
  for (const std::string& name : names_in(folder)) {
    const std::string base = folder + "/" + name;
    if (const std::optional<json> array = read_json(base + "/.zarray")) {
      arrays[name] = {*array, read_json(base + "/.zattrs").value_or(json::object())};
    }
  }
  return arrays;
}

std::map<std::string, json> arrays3(const std::string& folder, const json& group) {
  std::map<std::string, json> arrays;
  const json consolidated = group.value("consolidated_metadata", json());
  if (consolidated.is_object() && consolidated.contains("metadata")) {
    for (const auto& [name, value] : consolidated["metadata"].items()) {
      if (value.value("node_type", "") == "array" && name.find('/') == std::string::npos)
        arrays[name] = value;
    }
    return arrays;
  }
  for (const std::string& name : names_in(folder)) {
    const std::optional<json> node = read_json(folder + "/" + name + "/zarr.json");
    if (node && node->value("node_type", "") == "array") arrays[name] = *node;
  }
  return arrays;
}

void add_array(Dataset& data, std::optional<ZarrMetadata> array, const std::shared_ptr<ChunkCache>& cache) {
  if (!array) return;
  if (array->header.dimensions.size() != array->header.shape.size()) {
    data.notes.push_back(array->header.name + ": its dimensions have no names");
    return;
  }
  data.arrays.push_back(open_zarr_array(std::move(*array), cache));
}

}  // namespace

bool is_zarr(const std::string& folder) {
  for (const char* name : {"/.zmetadata", "/zarr.json", "/.zgroup", "/.zarray"}) {
    if (file_size(folder + name)) return true;
  }
  return false;
}

Dataset open_zarr(const std::string& folder) try {
  const auto cache = std::make_shared<ChunkCache>(cache_bytes);
  const std::optional<json> group = read_json(folder + "/zarr.json");
  if (file_size(folder + "/.zarray") || (group && group->value("node_type", "") == "array")) {
    refuse(where, folder, " is one array of a store: give the folder above it");
  }
  Dataset data{folder, group ? "Zarr 3" : "Zarr 2", {}, {}, {}};
  const json attributes = group ? group->value("attributes", json::object())
                                : read_json(folder + "/.zattrs").value_or(json::object());
  data.provenance = text_attribute(attributes, "source");
  if (group) {
    for (const auto& [name, array] : arrays3(folder, *group)) {
      add_array(data, parse_zarr3(array, name, folder + "/" + name), cache);
    }
  } else {
    for (const auto& [name, files] : arrays2(folder)) {
      add_array(data, parse_zarr2(files.first, files.second, name, folder + "/" + name), cache);
    }
  }
  return data;
} catch (const json::exception& error) {
  fail(where, folder, ": its metadata lacks what the specification asks for (", error.what(), ")");
}

}  // namespace graticule
