// Base class of arrays that are stored in chunks (Zarr, compressed NetCDF-4): it assembles a box from decoded
// chunks.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "graticule/data/chunk_cache.h"
#include "graticule/data/file_bytes.h"
#include "graticule/data/stored_array.h"

namespace graticule {

/// A chunk whose bytes are all decoded.
class DecodedChunk : public Chunk {
 public:
  explicit DecodedChunk(Bytes bytes) : bytes_(std::move(bytes)) {}
  const std::byte* range(size_t, size_t) override { return bytes_.data.get(); }
  size_t memory() const override { return bytes_.size; }

 private:
  Bytes bytes_;
};

class ChunkedArray : public StoredArray {
 public:
  using Index = std::vector<int64_t>;

  void read(std::span<const Span> box, std::span<std::byte> out) override;
  Chunking chunking() const override { return {chunk_, true}; }

 protected:
  /// `chunk`: shape of a chunk. `storage`: the array's dimension for each stored dimension, slowest first.
  /// Decoded chunks are kept in `cache`, under the file and the name of the array.
  ChunkedArray(ArrayHeader header, Index chunk, std::vector<size_t> storage,
               std::shared_ptr<ChunkCache> cache);
  /// Reads the chunk at an index of the grid of chunks. Returns null when it is absent: then all its values
  /// are the fill value.
  virtual std::unique_ptr<Chunk> load(const Index& chunk) = 0;
  /// The number of elements stored in a chunk along each dimension. A format that cuts the last chunk off at
  /// the array's end returns less than the chunk's shape there.
  virtual Index shape_of(const Index& /*chunk*/) const { return chunk_; }
  /// The bytes of the fill value, in the byte order of a chunk.
  virtual const std::byte* fill() const { return nullptr; }

 private:
  void visit(std::span<const Span> box, Index& chunk, size_t d, const Index& out_strides, std::byte* out);
  void copy_chunk(std::span<const Span> box, const Index& chunk, const Index& out_strides, std::byte* out);
  Chunk* find_or_load(const Index& chunk);

  Index chunk_;
  std::vector<size_t> storage_;
  std::shared_ptr<ChunkCache> cache_;
  size_t width_;
  std::set<std::string> absent_;  // keys that load() did not find, so that a network is not asked again
};

}  // namespace graticule
