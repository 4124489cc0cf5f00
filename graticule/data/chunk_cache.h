// Decoded chunks, kept for the next time that one is asked for.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>

namespace graticule {

/// The bytes of one chunk.
class Chunk {
 public:
  virtual ~Chunk() = default;
  /// The chunk's bytes, of which at least [begin, end) are decoded now.
  virtual const std::byte* range(size_t begin, size_t end) = 0;
  virtual size_t memory() const = 0;
};

/// The chunks used last, up to `capacity` bytes; four of them stay however large they are, because levels of
/// a variable, now and later, lie in one or two. One thread at a time.
class ChunkCache {
 public:
  static constexpr size_t least = size_t{64} << 20, most = size_t{512} << 20;

  /// Room for `bytes` of chunks, within `least` and `most`.
  void make_room(size_t bytes);
  Chunk* find(const std::string& key);
  Chunk* insert(const std::string& key, std::unique_ptr<Chunk> chunk);

 private:
  using Entry = std::pair<std::string, std::unique_ptr<Chunk>>;
  size_t capacity_ = least, held_ = 0;
  std::list<Entry> entries_;  ///< used last first
  std::unordered_map<std::string, std::list<Entry>::iterator> by_key_;
};

}  // namespace graticule
