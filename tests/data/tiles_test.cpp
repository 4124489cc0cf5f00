// Tests that tiles cover a field, and that each pixel counts in one of them.

#include "graticule/data/tiles.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <tuple>

namespace graticule {
namespace {

Catalog volume_of(int64_t layers, int64_t rows, int64_t columns) {
  Catalog catalog;
  catalog.grid = GridKind::volume;
  for (const int64_t n : {layers, rows, columns})
    catalog.axes.push_back({"", std::vector<double>(static_cast<size_t>(n))});
  return catalog;
}

TEST(Tiles, EachPixelCountsOnceAndAwayFromTheEdgesOfItsTile) {
  for (const auto& [layers, rows, columns, side] :
       {std::tuple{4, 9, 8, 4}, {7, 13, 16, 5}, {3, 3, 50, 3}, {1, 8, 8, 1}, {8, 31, 9, 8}}) {
    TokenGrid grid{.rows = std::min(rows, side), .columns = std::min(columns, side)};
    grid.kind = GridKind::volume, grid.layers = std::min(layers, side);
    std::map<std::tuple<int64_t, int64_t, int64_t>, int> counted;
    for (const Tile& tile : tiles_of(volume_of(layers, rows, columns), grid)) {
      ASSERT_TRUE(tile.begin.row >= 0 && tile.begin.row + grid.rows <= rows);
      ASSERT_TRUE(tile.begin.column >= 0 && tile.begin.column + grid.columns <= columns);
      // An edge of the tile that is none of the field is an eighth of a side away.
      ASSERT_TRUE(tile.begin.column == 0 || tile.columns.begin >= grid.columns / 8);
      ASSERT_TRUE(tile.begin.column + grid.columns == columns ||
                  tile.columns.end <= grid.columns - grid.columns / 8);
      for (int64_t z = tile.layers.begin; z < tile.layers.end; ++z) {
        for (int64_t y = tile.rows.begin; y < tile.rows.end; ++y) {
          for (int64_t x = tile.columns.begin; x < tile.columns.end; ++x)
            ++counted[{tile.begin.layer + z, tile.begin.row + y, tile.begin.column + x}];
        }
      }
    }
    EXPECT_EQ(std::ssize(counted), layers * rows * columns);
    for (const auto& [pixel, times] : counted) EXPECT_EQ(times, 1);
  }
}

}  // namespace
}  // namespace graticule
