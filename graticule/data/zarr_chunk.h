// One chunk of a Zarr array, decoded only as far as it is read: Blosc block by block, uncompressed files
// piece by piece. So one time and level out of a chunk of many costs little, and no part is decoded twice.
// Other codecs decode the whole chunk.
#pragma once

#include <string>

#include "graticule/data/chunk_cache.h"
#include "graticule/data/key_store.h"
#include "graticule/data/zarr_codec.h"

namespace graticule {

class ZarrChunk : public Chunk {
 public:
  /// `size`: bytes of the decoded chunk. Fails on damaged bytes, naming the file.
  ZarrChunk(BytePlace place, const std::vector<ByteCodec>& codecs, size_t size);
  const std::byte* range(size_t begin, size_t end) override;
  size_t memory() const override { return decoded_.size + encoded_.size; }

 private:
  void load(size_t begin, size_t end);
  BytePlace place_;
  bool blosc_ = false;
  Bytes encoded_, decoded_;
  size_t block_;  ///< bytes decoded at a time
  std::vector<bool> loaded_;
};

}  // namespace graticule
