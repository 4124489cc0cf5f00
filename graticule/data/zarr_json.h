// JSON of Zarr metadata, as its writers in Python make it.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace graticule {

/// The JSON of a file; nothing when it does not exist. A bare NaN, Infinity or -Infinity, which Python's json
/// writes and JSON does not know, becomes that text in quotes. Fails on what is no JSON.
std::optional<nlohmann::json> read_zarr_json(const std::string& file);

/// The value of a key; fails saying that `where` lacks it.
const nlohmann::json& required(const nlohmann::json& object, const char* key, const std::string& where);

}  // namespace graticule
