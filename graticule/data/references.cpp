#include "graticule/data/references.h"

#include <cpl_string.h>

#include <filesystem>

#include "graticule/core/error.h"
#include "graticule/data/zarr_json.h"

namespace graticule {

namespace {

using nlohmann::json;
namespace fs = std::filesystem;

bool is_remote(const std::string& path) { return path.find("://") != std::string::npos; }

// Without "..", "." and a slash at the end.
std::string normal(const fs::path& path) {
  std::string text = fs::absolute(path).lexically_normal().string();
  if (text.size() > 1 && text.ends_with('/')) text.pop_back();
  return text;
}

bool is_below(const std::string& path, const std::string& folder) {
  if (folder.empty() || !path.starts_with(folder)) return false;
  return path.size() == folder.size() || folder.ends_with('/') || path[folder.size()] == '/';
}

std::string decoded(const std::string& text) {
  constexpr std::string_view base64 = "base64:";
  if (!text.starts_with(base64)) return text;
  std::string bytes = text.substr(base64.size());
  bytes.resize(static_cast<size_t>(CPLBase64DecodeInPlace(reinterpret_cast<GByte*>(bytes.data()))));
  return bytes;
}

// Puts the templates into an address: {"u": "s3://bucket"} and "{{u}}/a.nc" -> "s3://bucket/a.nc".
std::string filled_in(std::string path, const json& templates, const std::string& file) {
  for (size_t open = path.find("{{"); open != std::string::npos; open = path.find("{{")) {
    const size_t close = path.find("}}", open);
    if (close == std::string::npos) break;
    const std::string name = path.substr(open + 2, close - open - 2);
    const json value = templates.is_object() ? templates.value(name, json()) : json();
    if (!value.is_string() || value.get_ref<const std::string&>().find("{{") != std::string::npos)
      refuse("references", file, " has the template '", name,
             "', which is no plain text: write it without "
             "templates");
    path.replace(open, close + 2 - open, value.get<std::string>());
  }
  return path;
}

class References : public KeyStore {
 public:
  References(const std::string& file, const std::string& place)
      : KeyStore(file), allowed_(file, fs::path(normal(file)).parent_path(), place) {
    const std::optional<std::string> text = graticule::read_text(file);
    if (!text) refuse("references", file, " does not exist");
    const json content = parse_zarr_json(*text, file);
    const bool versioned = content.is_object() && content.contains("refs");
    const json& refs = versioned ? content["refs"] : content;
    if (!refs.is_object() ||
        (!refs.contains(".zgroup") && !refs.contains("zarr.json") && !refs.contains(".zmetadata")))
      refuse("references", file,
             " is JSON, but holds no references of kerchunk to a Zarr store (no \".zgroup\" "
             "or \"zarr.json\")");
    if (const json made = content.value("gen", json()); versioned && made.is_array() && !made.empty())
      refuse("references", file,
             " holds generated references (\"gen\"): write them out, as "
             "fsspec's ReferenceFileSystem.save_json does");
    const json templates = versioned ? content.value("templates", json()) : json();
    for (const auto& [key, value] : refs.items()) add(key, value, templates);
  }

  std::optional<BytePlace> find(const std::string& key) const override {
    const auto found = places_.find(key);
    if (found == places_.end()) return std::nullopt;
    BytePlace place = found->second;
    if (place.held || place.size != whole_file) return place;
    const std::optional<size_t> size = file_size(place.file);
    if (!size) refuse("references", name(), ": ", key, " is in ", place.file, ", which does not exist");
    place.size = *size;
    return place;
  }

  std::vector<std::string> names_in(const std::string& folder) const override {
    return names_below(places_, folder);
  }

 private:
  static constexpr size_t whole_file = SIZE_MAX;

  void add(const std::string& key, const json& value, const json& templates) {
    if (value.is_string() || value.is_object()) {
      const std::string bytes = value.is_string() ? decoded(value.get<std::string>()) : value.dump();
      places_[key] = {name() + ": " + key, 0, bytes.size(), std::make_shared<std::string>(bytes)};
      return;
    }
    const bool part = value.is_array() && value.size() == 3 && value[1].is_number_unsigned() &&
                      value[2].is_number_unsigned();
    if (!part && !(value.is_array() && value.size() == 1))
      fail("references", name(), ": ", key, " is ", value.dump(),
           " instead of a text, [file] or [file, offset, "
           "bytes]: write it anew");
    if (!value[0].is_string()) fail("references", name(), ": ", key, " names no file: write it anew");
    const std::string path = filled_in(value[0].get<std::string>(), templates, name());
    auto known = resolved_.find(path);
    if (known == resolved_.end()) known = resolved_.emplace(path, allowed_.resolve(path)).first;
    places_[key] = part ? BytePlace{known->second, value[1].get<size_t>(), value[2].get<size_t>(), nullptr}
                        : BytePlace{known->second, 0, whole_file, nullptr};
  }

  AllowedPlaces allowed_;
  std::map<std::string, BytePlace> places_;
  std::map<std::string, std::string> resolved_;
};

}  // namespace

AllowedPlaces::AllowedPlaces(std::string owner, const std::string& folder, const std::string& place)
    : owner_(std::move(owner)),
      folder_(normal(folder)),
      place_(place.empty() || is_remote(place) ? place : normal(place)) {}

std::string AllowedPlaces::resolve(const std::string& path) const {
  std::string target = path.starts_with("file://") ? path.substr(7) : path;
  if (!is_remote(target)) target = normal(fs::path(folder_) / target);
  const bool inside = !is_remote(target) && is_below(target, folder_);
  const bool climbs = is_remote(target) && target.find("/..") != std::string::npos;
  if (climbs || (!inside && !is_below(target, place_)))
    refuse("references", owner_, " points to ", target,
           place_.empty() ? ", outside its folder" : ", outside ", place_,
           ": name the folder or bucket of its files after two colons, as in ", owner_,
           "::", target.substr(0, target.rfind('/')));
  if (is_remote(target)) return gdal_path(target);
  if (!file_size(target))
    refuse("references", owner_, " points to ", target,
           ", which does not exist: bring that file back, or write "
           "the references anew");
  return target;
}

bool is_references(const std::string& file) {
  const std::optional<size_t> size = file_size(file);
  std::string start(std::min<size_t>(size.value_or(0), 64), '\0');
  if (start.empty()) return false;
  read_range(file, 0, std::as_writable_bytes(std::span(start)));
  const size_t first = start.find_first_not_of(" \t\r\n");
  return first != std::string::npos && start[first] == '{';
}

void refuse_parquet(const std::string& folder) {
  refuse(
      "references", folder,
      " holds references in Parquet, which are not read: write them as JSON by python3 -c \"import base64, "
      "json, fsspec; m = fsspec.filesystem('reference', fo='",
      folder,
      "').references; json.dump({k: 'base64:' + base64.b64encode(m[k]).decode() if isinstance(m[k], bytes) "
      "else m[k] for k in m}, open('",
      folder, ".json', 'w'), default=int)\"");
}

Keys open_references(const std::string& file, const std::string& place) {
  return std::make_shared<References>(file, place);
}

}  // namespace graticule
