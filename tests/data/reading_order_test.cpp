// Tests the order in which statistics read chunks: no chunk is cut, each is decoded once.
#include "graticule/data/reading_order.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "graticule/data/chunk_cache.h"
#include "graticule/data/statistics.h"
#include "tests/data/table_source.h"

namespace graticule {
namespace {

// Chunks of all times, whose rows together are `times_too_large` times what is kept.
Storage long_chunks(int64_t rows, int64_t times_too_large) {
  Storage storage;
  storage.times = 20, storage.rows = rows, storage.whole = true;
  storage.bytes_of_time = times_too_large * static_cast<int64_t>(ChunkCache::most) / 2;
  return storage;
}

TEST(ReadingOrder, blocks_cover_the_rows_once_and_cut_no_chunk) {
  for (const bool descending : {false, true}) {
    for (const int64_t rows : {1, 7, 16, 23, 128}) {
      for (const int64_t chunk : {1, 3, 8, 200}) {
        TableSource source = table_source(rows, 2, {"a"}, 1, 6, 1);
        source.listing.latitude_descending = descending;
        source.storage = long_chunks(chunk, 5);
        const Span wanted = {rows / 4, rows};
        int64_t next = wanted.begin;
        for (const Span& block : row_blocks(source, "a", wanted)) {
          EXPECT_EQ(block.begin, next);
          EXPECT_GT(block.size(), 0);
          next = block.end;
          const int64_t of_file = descending ? rows - block.end : block.end;
          EXPECT_TRUE(block.end == rows || of_file % chunk == 0) << rows << " rows, chunks of " << chunk;
        }
        EXPECT_EQ(next, wanted.end);
      }
    }
  }
}

TEST(ReadingOrder, what_fits_is_read_at_once) {
  TableSource source = table_source(16, 2, {"a"}, 1, 6, 1);
  source.storage = long_chunks(4, 0);
  EXPECT_EQ(row_blocks(source, "a", {0, 16}).size(), 1);
  source.storage = long_chunks(4, 9);
  source.storage.times = 1;
  EXPECT_EQ(row_blocks(source, "a", {0, 16}).size(), 1);
}

// However a pass is cut, its numbers are the same; levels of one array are read together, and a block of rows
// over all times before the next block.
TEST(ReadingOrder, statistics_decode_each_chunk_once) {
  const std::vector<std::string> names = {"t@500", "u@500", "t@850"};
  TableSource plain = table_source(12, 5, names, 20, 6, 3), cut = table_source(12, 5, names, 20, 6, 3);
  cut.storage = long_chunks(3, 3);
  cut.storage.array = "all";
  const TimeRange range = {plain.listing.times.front(), plain.listing.times.back()};
  const Statistics whole = compute_statistics(plain, names, {6, 12}, range);
  const Statistics blocks = compute_statistics(cut, names, {6, 12}, range);
  for (const std::string& name : names) {
    EXPECT_NEAR(whole.of(name).mean, blocks.of(name).mean, 1e-12);
    EXPECT_NEAR(whole.of(name).deviation, blocks.of(name).deviation, 1e-12);
    EXPECT_NEAR(whole.of(name).difference_deviation.at(12), blocks.of(name).difference_deviation.at(12),
                1e-12);
    EXPECT_EQ(whole.of(name).count, blocks.of(name).count);
  }
  const auto starts = [](const auto& a, const auto& b) { return a.second.begin < b.second.begin; };
  EXPECT_TRUE(std::is_sorted(cut.order.begin(), cut.order.end(), starts));
  EXPECT_EQ(cut.rows_read["t@500"], 12 * 20);
  EXPECT_EQ(by_array(plain, names).size(), 3);
  EXPECT_EQ(by_array(cut, names).size(), 1);
}

}  // namespace
}  // namespace graticule
