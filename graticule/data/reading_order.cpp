#include "graticule/data/reading_order.h"

#include <algorithm>
#include <map>

#include "graticule/data/chunk_cache.h"

namespace graticule {

std::vector<std::vector<std::string>> by_array(const Source& source,
                                               const std::vector<std::string>& variables) {
  std::vector<std::vector<std::string>> groups;
  std::map<std::string, size_t> known;  // array -> its group
  for (const std::string& variable : variables) {
    const auto [group, added] = known.emplace(source.storage_of(variable).array, groups.size());
    if (added) groups.emplace_back();
    groups[group->second].push_back(variable);
  }
  return groups;
}

std::vector<Span> row_blocks(const Source& source, const std::string& variable, Span rows) {
  const Storage storage = source.storage_of(variable);
  // The times now and later may be in two different chunks, hence the factor 2.
  const int64_t parts = 2 * storage.bytes_of_time / static_cast<int64_t>(ChunkCache::most) + 1;
  if (storage.times == 1 || storage.rows == 0 || parts == 1) return {rows};
  const int64_t all_rows = source.catalog().lines();
  const int64_t chunks = (all_rows + storage.rows - 1) / storage.rows;
  const int64_t step = std::max<int64_t>(1, chunks / parts) * storage.rows;
  std::vector<Span> blocks;
  // Chunks are counted from the file's first row, which is the last row here if the file has north first.
  const int64_t first = source.catalog().latitude_descending ? all_rows % storage.rows : 0;
  for (int64_t begin = first > 0 ? first - step : 0; begin < all_rows; begin += step) {
    const Span block = intersect(rows, {std::max<int64_t>(0, begin), begin + step});
    if (!block.empty()) blocks.push_back(block);
  }
  return blocks;
}

}  // namespace graticule
