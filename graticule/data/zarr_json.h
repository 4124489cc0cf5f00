// Reads the JSON of Zarr metadata as Python's writers make it.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace graticule {

/// The JSON of a file, or nothing when the file does not exist. A bare NaN, Infinity or -Infinity, which
/// Python writes although JSON does not allow it, becomes the same word as a text. Fails when the content is
/// no JSON.
std::optional<nlohmann::json> read_zarr_json(const std::string& file);

/// The value of a key. Fails when it is absent; the message names `where`.
const nlohmann::json& required(const nlohmann::json& object, const char* key, const std::string& where);

}  // namespace graticule
