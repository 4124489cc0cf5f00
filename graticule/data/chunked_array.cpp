#include "graticule/data/chunked_array.h"

#include <cstring>

namespace graticule {

namespace {

using Index = ChunkedArray::Index;

// Bytes from one element to the next along each dimension, row-major in the order `storage` (slowest first).
Index strides_of(const Index& shape, const std::vector<size_t>& storage, size_t width) {
  Index strides(shape.size());
  auto stride = static_cast<int64_t>(width);
  for (size_t i = storage.size(); i-- > 0;) {
    strides[storage[i]] = stride;
    stride *= shape[storage[i]];
  }
  return strides;
}

struct Copy {
  Index counts, from, to;  // elements and byte strides, each dimension
  size_t width;

  // Copies one box. When `source` is null, repeats the single element at `fill`.
  void run(const std::byte* source, std::byte* target, const std::byte* fill, size_t d = 0) const {
    const auto bytes = static_cast<int64_t>(width);
    if (d == counts.size()) {
      std::memcpy(target, source ? source : fill, width);
    } else if (source && d + 1 == counts.size() && from[d] == bytes && to[d] == bytes) {
      std::memcpy(target, source, static_cast<size_t>(counts[d]) * width);
    } else {
      for (int64_t i = 0; i < counts[d]; ++i) {
        run(source ? source + i * from[d] : nullptr, target + i * to[d], fill, d + 1);
      }
    }
  }
};

}  // namespace

ChunkedArray::ChunkedArray(ArrayHeader header, Index chunk, std::vector<size_t> storage,
                           std::shared_ptr<ChunkCache> cache)
    : StoredArray(std::move(header)),
      chunk_(std::move(chunk)),
      storage_(std::move(storage)),
      cache_(std::move(cache)),
      width_(size_of(this->header().type)) {}

void ChunkedArray::read(std::span<const Span> box, std::span<std::byte> out) {
  const size_t rank = chunk_.size();
  Index counts;
  for (const Span& span : box) counts.push_back(span.size());
  Index chunk(rank);
  visit(box, chunk, 0, strides_of(counts, row_major(rank), width_), out.data());
}

// Visits every chunk that overlaps the box.
void ChunkedArray::visit(std::span<const Span> box, Index& chunk, size_t d, const Index& out_strides,
                         std::byte* out) {
  if (d == chunk.size()) return copy_chunk(box, chunk, out_strides, out);
  const int64_t size = chunk_[d];
  for (chunk[d] = box[d].begin / size; chunk[d] * size < box[d].end; ++chunk[d]) {
    visit(box, chunk, d + 1, out_strides, out);
  }
}

void ChunkedArray::copy_chunk(std::span<const Span> box, const Index& chunk, const Index& out_strides,
                              std::byte* out) {
  Copy copy{{}, strides_of(shape_of(chunk), storage_, width_), out_strides, width_};
  size_t first = 0, last = 0;
  for (size_t d = 0; d < chunk.size(); ++d) {
    const int64_t begin = chunk[d] * chunk_[d];
    const Span part = intersect(box[d], {begin, begin + chunk_[d]});
    copy.counts.push_back(part.size());
    first += static_cast<size_t>((part.begin - begin) * copy.from[d]);
    last += static_cast<size_t>((part.end - 1 - begin) * copy.from[d]);
    out += (part.begin - box[d].begin) * out_strides[d];
  }
  Chunk* decoded = find_or_load(chunk);
  copy.run(decoded ? decoded->range(first, last + width_) + first : nullptr, out, fill());
}

Chunk* ChunkedArray::find_or_load(const Index& chunk) {
  std::string key = header().file + "/" + header().name;
  for (const int64_t i : chunk) key += "/" + std::to_string(i);
  if (absent_.contains(key)) return nullptr;
  if (Chunk* kept = cache_->find(key)) return kept;
  std::unique_ptr<Chunk> loaded = load(chunk);
  if (loaded) return cache_->insert(key, std::move(loaded));
  absent_.insert(key);
  return nullptr;
}

}  // namespace graticule
