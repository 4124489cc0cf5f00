// Reads the entries of a checkpoint's manifest.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <type_traits>

#include "graticule/core/error.h"

namespace graticule {

/// The path of the manifest of a checkpoint's folder.
inline std::string manifest_path(const std::filesystem::path& folder) {
  return (folder / "manifest.json").string();
}

/// Reads an entry of the manifest, or of one of its objects. Fails when it does not have the form that this
/// version writes.
template <class T>
T entry(const nlohmann::json& object, const char* key, const std::filesystem::path& folder) {
  using nlohmann::json;
  try {
    const json& value = object.at(key);
    if (std::is_integral_v<T> && !value.is_number_integer())
      throw json::type_error::create(302, "no whole number", &value);
    return value.get<T>();
  } catch (const json::exception&) {
    fail("checkpoint", manifest_path(folder), " has no entry \"", key,
         "\" of the form that this version reads: copy the checkpoint again, or take the one before it");
  }
}

}  // namespace graticule
