// Tests grids of cells: where patches lie, and how many lie side by side.

#include "graticule/core/cells.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "graticule/core/token_grid.h"

namespace graticule {
namespace {

TEST(Cells, OfASpiralFillTheSphere) {
  const Cells cells = spiral_cells(1001);
  EXPECT_NEAR(part_of_sphere(cells), 1, 1e-12);
  EXPECT_NEAR(cells.latitudes[500], 0, 1e-9);
  const Position all = middles_of_runs(cells, 1001).at(0);
  EXPECT_GE(all.east, 0);
  const std::vector<Position> each = middles_of_runs(cells, 1);
  for (size_t i = 0; i < each.size(); ++i) {
    EXPECT_NEAR(each[i].north * 180 / std::numbers::pi, cells.latitudes[i], 1e-9);
    EXPECT_NEAR(each[i].east * 180 / std::numbers::pi, cells.longitudes[i], 1e-9);
  }
}

TEST(Cells, OfARunLieAroundItsMiddleAcross0Degrees) {
  const Cells cells{"", {10, -10, 0}, {350, 10, 90}, {0.1, 0.1, 0.1}};
  const std::vector<Position> middles = middles_of_runs(cells, 2);
  ASSERT_EQ(middles.size(), 2u);  // the last run is short
  EXPECT_NEAR(middles[0].north, 0, 1e-12);
  EXPECT_NEAR(std::remainder(middles[0].east, 2 * std::numbers::pi), 0, 1e-12);
  EXPECT_NEAR(middles[1].east, std::numbers::pi / 2, 1e-12);
}

TEST(Cells, CountPatchesSideBySideByTheirSize) {
  TokenGrid grid;
  set_cells(grid, std::make_shared<Cells>(spiral_cells(12 * 64 * 64)), 16);
  EXPECT_EQ(grid.tokens(), 12 * 16 * 16);
  EXPECT_EQ(grid.patches(GridAxis::columns),
            98);  // 4 x 16 in a ring of HEALPix at the equator, and narrower ones
  EXPECT_EQ(grid.patches(GridAxis::rows), 49);
  EXPECT_EQ(grid.pixels(), 16);
  Cells quarter = spiral_cells(12 * 64 * 64);
  for (double& area : quarter.areas) area /= 4;  // as many cells in a quarter of the sphere are half as wide
  set_cells(grid, std::make_shared<Cells>(quarter), 16);
  EXPECT_EQ(grid.patches(GridAxis::columns), 196);
  set_cells(grid, std::make_shared<Cells>(spiral_cells(83)), 2);
  EXPECT_EQ(grid.places(), 42);  // the last run has one cell
  EXPECT_EQ(patch_angles(grid, GridAxis::rows).size(), 42u);
}

}  // namespace
}  // namespace graticule
