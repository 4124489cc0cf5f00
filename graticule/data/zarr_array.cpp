#include "graticule/data/zarr_array.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <type_traits>

#include "graticule/core/error.h"
#include "graticule/data/chunked_array.h"
#include "graticule/data/zarr_chunk.h"

namespace graticule {

namespace {

// A value that the type does not have becomes 0.
template <class Number>
void store(double value, std::byte* bytes) {
  constexpr auto low = static_cast<double>(std::numeric_limits<Number>::lowest());
  const bool fits = std::is_floating_point_v<Number> ||
                    (value >= low && value < std::ldexp(1.0, std::numeric_limits<Number>::digits));
  const auto number = fits ? static_cast<Number>(value) : Number{0};
  std::memcpy(bytes, &number, sizeof(number));
}

// The bytes of the fill value in native byte order. In half precision, NaN, zero and small whole numbers are
// exact.
std::vector<std::byte> bytes_of(double fill, NumberType type) {
  std::vector<std::byte> bytes(size_of(type));
  switch (type) {
    case NumberType::f2: {
      // Searches the 65,536 values of half precision for the one equal to the fill value; NaN if there is
      // none.
      uint16_t half = 0x7e00;
      for (uint32_t bits = 0; bits < 0x10000; ++bits) {
        const auto candidate = static_cast<uint16_t>(bits);
        if (to_doubles(std::as_bytes(std::span(&candidate, 1)), type)[0] == fill) half = candidate;
      }
      std::memcpy(bytes.data(), &half, 2);
      break;
    }
    case NumberType::f4:
      store<float>(fill, bytes.data());
      break;
    case NumberType::f8:
      store<double>(fill, bytes.data());
      break;
    case NumberType::i1:
      store<int8_t>(fill, bytes.data());
      break;
    case NumberType::i2:
      store<int16_t>(fill, bytes.data());
      break;
    case NumberType::i4:
      store<int32_t>(fill, bytes.data());
      break;
    case NumberType::i8:
      store<int64_t>(fill, bytes.data());
      break;
    case NumberType::u1:
      store<uint8_t>(fill, bytes.data());
      break;
    case NumberType::u2:
      store<uint16_t>(fill, bytes.data());
      break;
    case NumberType::u4:
      store<uint32_t>(fill, bytes.data());
      break;
    case NumberType::u8:
      store<uint64_t>(fill, bytes.data());
      break;
  }
  return bytes;
}

class ZarrArray : public ChunkedArray {
 public:
  ZarrArray(ZarrMetadata metadata, Keys store, std::string folder, std::shared_ptr<ChunkCache> cache)
      : ChunkedArray(metadata.header, metadata.chunk.shape, metadata.chunk.storage, std::move(cache)),
        array_(std::move(metadata)),
        store_(std::move(store)),
        folder_(std::move(folder)),
        width_(size_of(array_.header.type)),
        fill_(bytes_of(array_.fill, array_.header.type)) {
    chunk_bytes_ = width_;
    for (const int64_t n : array_.chunk.shape) chunk_bytes_ *= static_cast<size_t>(n);
    if (array_.chunk.swapped) swap_bytes(fill_, width_);
  }

  // Uncompressed chunks are read in pieces, and Blosc's are decoded block by block; others are decoded as a
  // whole.
  Chunking chunking() const override {
    const auto& codecs = array_.chunk.codecs;
    if (codecs.empty()) return {};
    return {array_.chunk.shape, !is_blosc_alone(codecs)};
  }

  void read(std::span<const Span> box, std::span<std::byte> out) override {
    ChunkedArray::read(box, out);
    if (array_.chunk.swapped) swap_bytes(out, width_);
  }

 private:
  std::unique_ptr<Chunk> load(const Index& chunk) override {
    const std::optional<BytePlace> place = array_.shard ? place_in_shard(chunk) : place_of(chunk);
    if (!place) return nullptr;
    return std::make_unique<ZarrChunk>(*place, array_.chunk.codecs, chunk_bytes_);
  }

  const std::byte* fill() const override { return fill_.data(); }

  std::optional<BytePlace> place_of(const Index& index) const {
    std::string key = array_.key_prefix;
    for (size_t d = 0; d < index.size(); ++d)
      key += (d ? array_.key_separator : "") + std::to_string(index[d]);
    if (index.empty()) key = array_.zero_dimensional_c ? "c" : "0";
    return store_->find(join_keys(folder_, key));
  }

  struct ShardIndex {
    BytePlace place;
    std::vector<uint64_t> pairs;  // offset and bytes of each chunk
  };

  std::optional<BytePlace> place_in_shard(const Index& chunk) {
    Index outer(chunk.size());
    size_t inner = 0;
    for (size_t d = 0; d < chunk.size(); ++d) {
      const int64_t chunks = array_.shard->shape[d] / array_.chunk.shape[d];
      outer[d] = chunk[d] / chunks;
      inner = inner * static_cast<size_t>(chunks) + static_cast<size_t>(chunk[d] % chunks);
    }
    auto found = shards_.find(outer);
    if (found == shards_.end()) found = shards_.emplace(outer, read_shard_index(outer)).first;
    if (!found->second) return std::nullopt;
    const ShardIndex& shard = *found->second;
    const uint64_t offset = shard.pairs[2 * inner], size = shard.pairs[2 * inner + 1];
    if (offset == UINT64_MAX && size == UINT64_MAX) return std::nullopt;
    if (offset > shard.place.size || size > shard.place.size - offset) {
      fail("zarr", shard.place.file,
           " is damaged or cut off: its index points beyond its end: copy it again");
    }
    BytePlace part = shard.place;
    if (part.held) part.held = std::make_shared<std::string>(part.held->substr(offset, size));
    part.offset += part.held ? 0 : offset;
    part.size = size;
    return part;
  }

  std::optional<ShardIndex> read_shard_index(const Index& outer) const {
    const std::optional<BytePlace> place = place_of(outer);
    if (!place) return std::nullopt;
    size_t chunks = 1;
    for (size_t d = 0; d < outer.size(); ++d) {
      chunks *= static_cast<size_t>(array_.shard->shape[d] / array_.chunk.shape[d]);
    }
    const size_t bytes = 16 * chunks, stored = bytes + (array_.shard->index_has_checksum ? 4 : 0);
    if (place->size < stored)
      fail("zarr", place->file, " is cut off: it is shorter than its index: copy it again");
    Bytes index = Bytes::of_size(stored);
    read_range(*place, array_.shard->index_at_end ? place->size - stored : 0, index.span());
    if (array_.shard->index_has_checksum)
      index = decode(std::move(index), {{ByteCodec::Kind::crc32c, 1, {}}}, bytes, place->file);
    ShardIndex shard{*place, std::vector<uint64_t>(2 * chunks)};
    std::memcpy(shard.pairs.data(), index.data.get(), bytes);
    return shard;
  }

  ZarrMetadata array_;
  Keys store_;
  std::string folder_;  // the key below which the chunks are
  size_t width_, chunk_bytes_;
  std::vector<std::byte> fill_;
  std::map<Index, std::optional<ShardIndex>> shards_;
};

}  // namespace

std::unique_ptr<StoredArray> open_zarr_array(ZarrMetadata metadata, Keys store, std::string folder,
                                             std::shared_ptr<ChunkCache> cache) {
  return std::make_unique<ZarrArray>(std::move(metadata), std::move(store), std::move(folder),
                                     std::move(cache));
}

}  // namespace graticule
