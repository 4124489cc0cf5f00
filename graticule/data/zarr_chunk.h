// One chunk, decoded only as far as it is read: Blosc block by block, uncompressed files piece by piece. So
// one time and level out of a chunk of many costs little, and a second one decodes nothing twice.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <unordered_map>

#include "graticule/data/zarr_codec.h"

namespace graticule {

/// Where a chunk lies: a file, or a part of one (a shard).
struct ChunkPlace {
  std::string file;
  size_t offset = 0, size = 0;
};

class ZarrChunk {
 public:
  /// `size`: bytes decoded.
  ZarrChunk(ChunkPlace place, const std::vector<ByteCodec>& codecs, size_t size);
  /// The chunk's bytes, of which at least [begin, end) are decoded now.
  const std::byte* range(size_t begin, size_t end);
  size_t memory() const { return decoded_.size + encoded_.size; }

 private:
  void load(size_t begin, size_t end);
  ChunkPlace place_;
  bool blosc_ = false;
  Bytes encoded_, decoded_;
  size_t block_;  ///< bytes decoded at a time
  std::vector<bool> loaded_;
};

/// The chunks used last, up to `capacity` bytes; four of them stay however large they are, because levels of
/// a variable, now and later, lie in one or two. One thread at a time.
class ChunkCache {
 public:
  explicit ChunkCache(size_t capacity) : capacity_(capacity) {}
  ZarrChunk* find(const std::string& key);
  ZarrChunk* insert(const std::string& key, std::unique_ptr<ZarrChunk> chunk);

 private:
  using Entry = std::pair<std::string, std::unique_ptr<ZarrChunk>>;
  size_t capacity_, held_ = 0;
  std::list<Entry> entries_;  ///< used last first
  std::unordered_map<std::string, std::list<Entry>::iterator> by_key_;
};

}  // namespace graticule
