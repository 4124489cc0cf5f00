// Boxes of an array that is stored in chunks, put together from decoded ones.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "graticule/data/chunk_cache.h"
#include "graticule/data/stored_array.h"

namespace graticule {

class ChunkedArray : public StoredArray {
 public:
  using Index = std::vector<int64_t>;

  void read(std::span<const Span> box, std::span<std::byte> out) override;
  Chunking chunking() const override { return {chunk_, true}; }

 protected:
  /// `storage`: the array's dimension of each stored one, slowest first. Chunks are kept in `cache` under the
  /// array's file and name.
  ChunkedArray(ArrayHeader header, Index chunk, std::vector<size_t> storage,
               std::shared_ptr<ChunkCache> cache);
  /// A chunk by its place in the grid of chunks; null when it is absent: all of it is the fill value.
  virtual std::unique_ptr<Chunk> load(const Index& chunk) = 0;
  /// What stands in a chunk along each dimension; less than the chunk's shape where the array ends, for a
  /// format that stores no more.
  virtual Index shape_of(const Index& /*chunk*/) const { return chunk_; }
  /// The fill value's bytes, as in a chunk.
  virtual const std::byte* fill() const { return nullptr; }

 private:
  void visit(std::span<const Span> box, Index& chunk, size_t d, const Index& out_strides, std::byte* out);
  void copy_chunk(std::span<const Span> box, const Index& chunk, const Index& out_strides, std::byte* out);
  Chunk* find_or_load(const Index& chunk);

  Index chunk_;
  std::vector<size_t> storage_;
  std::shared_ptr<ChunkCache> cache_;
  size_t width_;
  std::set<std::string> absent_;  // asked for once: a network answers "not found" only the first time
};

}  // namespace graticule
