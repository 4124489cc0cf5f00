#include "graticule/data/chunk_cache.h"

#include <algorithm>

namespace graticule {

namespace {

constexpr size_t least_chunks = 4;

}  // namespace

void ChunkCache::make_room(size_t bytes) { capacity_ = std::clamp(bytes, least, most); }

Chunk* ChunkCache::find(const std::string& key) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->second.get();
}

Chunk* ChunkCache::insert(const std::string& key, std::unique_ptr<Chunk> chunk) {
  held_ += chunk->memory();
  entries_.emplace_front(key, std::move(chunk));
  by_key_[key] = entries_.begin();
  while (held_ > capacity_ && entries_.size() > least_chunks) {
    held_ -= entries_.back().second->memory();
    by_key_.erase(entries_.back().first);
    entries_.pop_back();
  }
  return entries_.front().second.get();
}

}  // namespace graticule
