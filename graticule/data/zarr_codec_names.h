// The codecs that Zarr's metadata may name, of format 2 (compressor and filters) and of format 3 (also
// `numcodecs.NAME`).
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "graticule/data/zarr_metadata.h"

namespace graticule {

/// The codec of a name without "numcodecs.", and its settings. Refuses an unknown codec, by name, and unknown
/// settings. `where` opens the message.
ByteCodec codec_of(const std::string& name, const nlohmann::json& settings, const std::string& where);

/// "<f4" -> its number; nothing for a type that is no number (text, dates, objects).
std::optional<StoredNumber> number_of(const nlohmann::json& dtype);

}  // namespace graticule
