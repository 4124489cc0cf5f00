#include "graticule/data/zarr_chunk.h"

#include <algorithm>

#include "graticule/core/error.h"

namespace graticule {

ZarrChunk::ZarrChunk(BytePlace place, const std::vector<ByteCodec>& codecs, size_t size)
    : place_(std::move(place)), block_(size) {
  if (codecs.empty()) {
    if (place_.size != size) {
      fail("zarr", place_.file, " has ", place_.size, " bytes instead of ", size, ": copy it again");
    }
    constexpr size_t piece = 262144;
    block_ = piece;
    decoded_ = Bytes::of_size(size);
  } else {
    encoded_ = read_all(place_);
    const bool in_blocks = is_blosc_alone(codecs);
    const BloscLayout layout = in_blocks ? blosc_layout(encoded_.span(), place_.file) : BloscLayout{};
    blosc_ = in_blocks && layout.size == size && layout.block > 0 && layout.block < size;
    if (blosc_) {
      block_ = layout.block;
      decoded_ = Bytes::of_size(size);
    } else {
      decoded_ = decode(std::move(encoded_), codecs, size, place_.file);
      encoded_ = {};
      return;
    }
  }
  loaded_.resize((size + block_ - 1) / block_);
}

void ZarrChunk::load(size_t begin, size_t end) {
  const std::span<std::byte> out = decoded_.span().subspan(begin, end - begin);
  if (blosc_) {
    decode_blosc_block(encoded_.span(), begin, out, place_.file);
  } else {
    read_range(place_, begin, out);
  }
}

const std::byte* ZarrChunk::range(size_t begin, size_t end) {
  GRATICULE_CHECK(end <= decoded_.size, end, " of ", decoded_.size);
  for (size_t block = begin / block_; !loaded_.empty() && block * block_ < end; ++block) {
    if (loaded_[block]) continue;
    load(block * block_, std::min(decoded_.size, (block + 1) * block_));
    loaded_[block] = true;
  }
  return decoded_.data.get();
}

}  // namespace graticule
