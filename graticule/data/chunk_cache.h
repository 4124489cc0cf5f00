// A cache of decoded chunks of array files. All arrays of one data set share one cache (source.cpp makes it),
// so that reading one time or level after another decodes each chunk once.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>

namespace graticule {

/// One chunk. Its bytes may be decoded piece by piece, when they are asked for.
class Chunk {
 public:
  virtual ~Chunk() = default;
  /// Decodes at least bytes [begin, end) and returns a pointer to the chunk's byte 0. Fails on damaged bytes.
  virtual const std::byte* range(size_t begin, size_t end) = 0;
  /// Bytes of memory that the chunk takes.
  virtual size_t memory() const = 0;
};

/// Keeps the chunks that were used last, up to a capacity in bytes. Four chunks are kept however large they
/// are: the levels of a variable at two times can be spread over two chunks or more. Not safe for several
/// threads at a time.
class ChunkCache {
 public:
  static constexpr size_t least = size_t{1} << 20, most = size_t{512} << 20;

  /// Sets the capacity to `bytes`, limited to [least, most].
  void make_room(size_t bytes);
  /// The chunk of this key, or null. Marks it as used last.
  Chunk* find(const std::string& key);
  /// Adds a chunk and removes those used longest ago until the rest fits. The pointer is valid until the next
  /// insert().
  Chunk* insert(const std::string& key, std::unique_ptr<Chunk> chunk);

 private:
  using Entry = std::pair<std::string, std::unique_ptr<Chunk>>;
  size_t capacity_ = least, held_ = 0;
  std::list<Entry> entries_;  ///< used last first
  std::unordered_map<std::string, std::list<Entry>::iterator> by_key_;
};

}  // namespace graticule
