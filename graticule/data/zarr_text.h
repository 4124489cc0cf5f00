// Texts in a Zarr store: the names along a dimension.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "graticule/data/key_store.h"

namespace graticule {

/// The texts of an array of one dimension, format 2 (read_texts2) or 3, by its metadata and the key of
/// its folder: of fixed width
/// (numpy's U and S) or of any length (vlen-utf8). Nothing for anything else. Fails on damaged bytes.
std::optional<std::vector<std::string>> read_texts2(const nlohmann::json& array, const Keys& store,
                                                    const std::string& key);
std::optional<std::vector<std::string>> read_texts3(const nlohmann::json& array, const Keys& store,
                                                    const std::string& key);

}  // namespace graticule
