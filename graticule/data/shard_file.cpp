#include "graticule/data/shard_file.h"

#include <blosc.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>

#include "graticule/core/crc32c.h"
#include "graticule/core/error.h"

namespace graticule {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

Json sharded_array_json(const ArrayLayout& array, const std::vector<std::string>& axes,
                        const std::vector<int64_t>& shard) {
  const Json bytes = {{"name", "bytes"}, {"configuration", {{"endian", "little"}}}};
  const Json blosc = {{"name", "blosc"},
                      {"configuration",
                       {{"typesize", sizeof(float)},
                        {"cname", "zstd"},
                        {"clevel", 5},
                        {"shuffle", "shuffle"},
                        {"blocksize", 0}}}};
  const Json sharding = {{"name", "sharding_indexed"},
                         {"configuration",
                          {{"chunk_shape", array.chunk},
                           {"codecs", Json::array({bytes, blosc})},
                           {"index_codecs", Json::array({bytes, {{"name", "crc32c"}}})},
                           {"index_location", "end"}}}};
  return {{"zarr_format", 3},
          {"node_type", "array"},
          {"shape", array.shape},
          {"data_type", "float32"},
          {"chunk_grid", {{"name", "regular"}, {"configuration", {{"chunk_shape", shard}}}}},
          {"chunk_key_encoding", {{"name", "default"}, {"configuration", {{"separator", "/"}}}}},
          {"fill_value", "NaN"},
          {"codecs", Json::array({sharding})},
          {"attributes", array.attributes},
          {"dimension_names", axes}};
}

namespace {

void append_little_endian(std::vector<std::byte>& bytes, uint64_t number, size_t width) {
  for (size_t i = 0; i < width; ++i) bytes.push_back(static_cast<std::byte>(number >> 8 * i));
}

}  // namespace

void write_shard(const fs::path& path, std::span<const float> values, size_t chunk, size_t chunks,
                 int threads) {
  const size_t chunk_bytes = chunk * sizeof(float);
  if (chunk_bytes > BLOSC_MAX_BUFFERSIZE)
    refuse("convert", path.string(), ": a field of ", chunk_bytes / 1'000'000,
           " MB is more than Blosc packs");
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  errno = 0;
  std::ofstream file(path, std::ios::binary);
  std::vector<char> packed(chunk_bytes + BLOSC_MAX_OVERHEAD);
  std::vector<std::byte> index;
  uint64_t offset = 0;
  for (size_t i = 0; i < chunks; ++i) {
    if ((i + 1) * chunk > values.size()) {  // behind the last time: absent
      append_little_endian(index, std::numeric_limits<uint64_t>::max(), 8);
      append_little_endian(index, std::numeric_limits<uint64_t>::max(), 8);
      continue;
    }
    const int size = blosc_compress_ctx(5, BLOSC_SHUFFLE, sizeof(float), chunk_bytes, &values[i * chunk],
                                        packed.data(), packed.size(), "zstd", 0, threads);
    if (size <= 0) fail("convert", "Blosc could not compress ", chunk_bytes, " bytes for ", path.string());
    file.write(packed.data(), size);
    append_little_endian(index, offset, 8);
    append_little_endian(index, static_cast<uint64_t>(size), 8);
    offset += static_cast<uint64_t>(size);
  }
  append_little_endian(index, crc32c(index), 4);
  file.write(reinterpret_cast<const char*>(index.data()), static_cast<std::streamsize>(index.size()));
  file.close();
  if (!file)
    fail("convert", path.string(), " cannot be written: ", std::strerror(errno),
         ". Make room and start the same command again: it goes on where it stopped");
}

}  // namespace graticule
