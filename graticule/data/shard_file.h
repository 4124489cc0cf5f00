// Writes one file of a sharded Zarr 3 array: compressed chunks one behind the other, then the index that says
// where each is. convert.cpp is its user; zarr_array.cpp reads such files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "graticule/data/field_layout.h"

namespace graticule {

/// The chunks of the codec `sharding_indexed`: Blosc with zstd and byte shuffle, an index with a checksum.
/// `shard`: the shape of a file; a chunk is ArrayLayout::chunk. Values are fp32, NaN where absent.
nlohmann::ordered_json sharded_array_json(const ArrayLayout& array, const std::vector<std::string>& axes,
                                          const std::vector<int64_t>& shard);

/// Writes `values` (fp32, the shard's chunks in order, each `chunk` values; the last ones may be left out) to
/// the new file `path`, and makes its folders. `chunks`: how many the shard has room for. Fails when the disk
/// refuses.
void write_shard(const std::filesystem::path& path, std::span<const float> values, size_t chunk,
                 size_t chunks, int threads);

}  // namespace graticule
