// Tests which waves a head has, over all grids and widths of heads.

#include "graticule/core/place_waves.h"

#include <gtest/gtest.h>

namespace graticule {
namespace {

using Numbers = std::vector<int64_t>;

TokenGrid grid_of(int64_t rows, int64_t columns) { return {TokenMode::full, 3, rows, columns, 1}; }

TEST(PlaceWaves, AreOctavesOfTheGrid) {
  EXPECT_EQ(octave_waves(grid_of(8, 16), 32).columns, (Numbers{1, 2, 4}));
  EXPECT_EQ(octave_waves(grid_of(8, 16), 32).rows, (Numbers{1, 2, 4}));
  EXPECT_EQ(octave_waves(grid_of(360, 720), 64).columns, (Numbers{1, 2, 4, 8, 16, 32, 64, 128}));
  // 16 octaves do not fit in 3/4 of 16 features: both ends stay, and what is between is even.
  EXPECT_EQ(octave_waves(grid_of(360, 720), 16).columns, (Numbers{1, 16, 128}));
  EXPECT_EQ(octave_waves(grid_of(360, 720), 16).rows, (Numbers{1, 16, 128}));
  EXPECT_EQ(rotary_waves(grid_of(8, 16), 16).columns, (Numbers{1, 3, 5, 7}));
}

TEST(PlaceWaves, FitInEveryHead) {
  for (const int64_t rows : {1, 2, 5, 9, 91, 721}) {
    for (const int64_t columns : {1, 2, 3, 8, 47, 360, 1440}) {
      for (int64_t D = narrowest_aimed; D <= 256; ++D) {
        const PlaceWaves waves = octave_waves(grid_of(rows, columns), D);
        EXPECT_LE(4 * waves.features(), 3 * D);
        for (const auto& [list, finest] : {std::pair{waves.columns, columns / 4}, {waves.rows, rows / 2}}) {
          ASSERT_FALSE(list.empty());
          EXPECT_EQ(list.front(), 1);
          for (size_t i = 1; i < list.size(); ++i) EXPECT_GT(list[i], list[i - 1]);
          EXPECT_LE(list.back(), std::max<int64_t>(1, finest));
          EXPECT_TRUE(list.size() == 1 || 2 * list.back() > finest);
        }
        EXPECT_LE(rotary_waves(grid_of(rows, columns), D).features(), D);
      }
    }
  }
}

}  // namespace
}  // namespace graticule
