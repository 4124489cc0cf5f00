// The metadata of one Zarr array, format 2 (.zarray) or 3 (zarr.json), in one form. Specifications:
// https://zarr-specs.readthedocs.io, v2 and v3 (core, sharding-indexed codec).
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "graticule/data/number_filter.h"
#include "graticule/data/stored_array.h"

namespace graticule {

/// One step from the numbers of a chunk to its bytes in the file.
struct ByteCodec {
  enum class Kind { blosc, zstd, zlib, bz2, lzma, lz4, crc32c, fletcher32, shuffle, number };
  Kind kind = Kind::blosc;  ///< zlib: also gzip
  size_t width = 1;         ///< of shuffle: bytes of an element
  NumberFilter filter;      ///< of number
};

/// Whether a chunk is Blosc alone, which can be decoded block by block.
bool is_blosc_alone(const std::vector<ByteCodec>& codecs);

struct ChunkEncoding {
  std::vector<int64_t> shape;     ///< of a chunk
  std::vector<size_t> storage;    ///< array dimension of each stored one, slowest first (C order: 0, 1, 2)
  std::vector<ByteCodec> codecs;  ///< in the order of encoding
  bool swapped = false;           ///< bytes of a number are in the order of other processors
};

/// Sharding: a file holds several chunks and an index of (offset, bytes) pairs.
struct ZarrShard {
  std::vector<int64_t> shape;  ///< of a file, a multiple of the chunk's
  bool index_at_end = true;
  bool index_has_checksum = false;
};

struct ZarrMetadata {
  ArrayHeader header;
  ChunkEncoding chunk;
  std::optional<ZarrShard> shard;
  double fill = 0;
  std::vector<std::string> notes = {};  ///< for the user
  std::string key_prefix;               ///< "c/" or ""
  std::string key_separator;            ///< "." or "/"
  bool zero_dimensional_c = false;      ///< a scalar's key is "c" (format 3, default keys) rather than "0"
};

/// Parse the metadata of one array. They return nothing for an array without numbers (text, objects). Dates
/// (numpy's datetime64) are whole numbers with the attribute `units`, NaN where they are not a time.
/// They refuse, by name, an unknown data type, codec or filter. `where`: the array's folder.
std::optional<ZarrMetadata> parse_zarr2(const nlohmann::json& array, const nlohmann::json& attributes,
                                        const std::string& name, const std::string& where);
std::optional<ZarrMetadata> parse_zarr3(const nlohmann::json& array, const std::string& name,
                                        const std::string& where);

}  // namespace graticule
