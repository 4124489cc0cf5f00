// Reads the JSON of Zarr metadata as Python's writers make it.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "graticule/data/key_store.h"

namespace graticule {

/// Reads JSON. A bare NaN, Infinity or -Infinity, which Python writes although JSON does not allow it, becomes
/// the same word as a text. Fails when `text` is no JSON; the message names `where`.
nlohmann::json parse_zarr_json(const std::string& text, const std::string& where);

/// The JSON of a key, or nothing when the key does not exist.
std::optional<nlohmann::json> read_zarr_json(const KeyStore& store, const std::string& key);

/// The value of a key. Fails when it is absent; the message names `where`.
const nlohmann::json& required(const nlohmann::json& object, const char* key, const std::string& where);

}  // namespace graticule
