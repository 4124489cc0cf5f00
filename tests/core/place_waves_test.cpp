// Tests which waves a head has, over all grids and widths of heads.

#include "graticule/core/place_waves.h"

#include <gtest/gtest.h>

namespace graticule {
namespace {

using Numbers = std::vector<int64_t>;

TokenGrid grid_of(int64_t rows, int64_t columns) { return {TokenMode::full, 3, rows, columns, 1}; }

TokenGrid volume_of(int64_t layers, int64_t rows, int64_t columns, std::array<bool, 3> periodic) {
  return {TokenMode::full, 3, rows, columns, 1, 1, GridKind::volume, layers, periodic};
}

TEST(PlaceWaves, AreOctavesOfTheGrid) {
  EXPECT_EQ(octave_waves(grid_of(8, 16), 32).columns, (Numbers{1, 2, 4}));
  EXPECT_EQ(octave_waves(grid_of(8, 16), 32).rows, (Numbers{1, 2, 4}));
  EXPECT_EQ(octave_waves(grid_of(360, 720), 64).columns, (Numbers{1, 2, 4, 8, 16, 32, 64, 128}));
  // 16 octaves do not fit in 3/4 of 16 features: both ends stay, and what is between is even.
  EXPECT_EQ(octave_waves(grid_of(360, 720), 16).columns, (Numbers{1, 16, 128}));
  EXPECT_EQ(octave_waves(grid_of(360, 720), 16).rows, (Numbers{1, 16, 128}));
  EXPECT_EQ(rotary_waves(grid_of(8, 16), 16).columns, (Numbers{1, 3, 5, 7}));
}

TEST(PlaceWaves, AreWholeWavesOnPeriodicAxesAlone) {
  TokenGrid plane = grid_of(8, 16);
  plane.kind = GridKind::plane;
  EXPECT_EQ(octave_waves(plane, 32).columns, (Numbers{1, 2, 4, 8}));
  EXPECT_EQ(rotary_waves(plane, 16).columns, (Numbers{1, 5, 9, 13}));
  plane.periodic_axes[static_cast<size_t>(GridAxis::columns)] = true;
  EXPECT_EQ(octave_waves(plane, 32).columns, (Numbers{1, 2, 4}));
  const PlaceWaves waves = octave_waves(volume_of(32, 16, 8, {true, false, false}), 64);
  EXPECT_EQ(waves.layers, (Numbers{1, 2, 4, 8}));
  EXPECT_EQ(waves.rows, (Numbers{1, 2, 4, 8}));
  EXPECT_EQ(waves.columns, (Numbers{1, 2, 4}));
}

TEST(PlaceWaves, FitInEveryHead) {
  for (const int64_t rows : {1, 2, 5, 9, 91, 721}) {
    for (const int64_t columns : {1, 2, 3, 8, 47, 360, 1440}) {
      for (int64_t D = narrowest_head(PlaceForm::aimed); D <= 256; ++D) {
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

TEST(PlaceWaves, FitInEveryHeadOfAVolume) {
  for (const int64_t layers : {1, 3, 40}) {
    for (const int64_t columns : {1, 8, 360}) {
      const TokenGrid grid = volume_of(layers, 17, columns, {layers == 3, false, columns == 8});
      for (int64_t D = narrowest_head(PlaceForm::aimed, 3); D <= 256; ++D) {
        const PlaceWaves waves = octave_waves(grid, D);
        EXPECT_LE(4 * waves.features(), 3 * D);
        for (const GridAxis axis : wave_axes(grid)) {
          const int64_t finest = grid.patches(axis) / (grid.periodic(axis) ? 4 : 2);
          ASSERT_FALSE(waves.along(axis).empty());
          EXPECT_LE(waves.along(axis).back(), std::max<int64_t>(1, finest));
        }
        EXPECT_LE(rotary_waves(grid, D).features(), D);
      }
    }
  }
}

}  // namespace
}  // namespace graticule
