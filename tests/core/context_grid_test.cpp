// Tests the choice of grids by bytes: the cheaper side, the cheapest mesh, and what is refused.

#include "graticule/core/context_grid.h"

#include <gtest/gtest.h>

namespace graticule {
namespace {

ContextGrids chosen(ContextMethod method, int64_t ranks, int64_t heads, int64_t key_heads, int64_t rows = 0) {
  return context_grids({.context_method = method, .mesh_rows = rows}, ranks,
                       {.queries = heads, .keys = key_heads, .width = 64, .element = 2});
}

TEST(ContextGrid, TakesTheCheaperSideBackward) {
  for (const ContextMethod method : {ContextMethod::lss, ContextMethod::ring}) {
    EXPECT_EQ(chosen(method, 8, 16, 16).forward, (ContextGrid{1, 8}));
    EXPECT_EQ(chosen(method, 8, 16, 16).backward, (ContextGrid{8, 1}));
    EXPECT_EQ(chosen(method, 8, 16, 8).backward, (ContextGrid{1, 8}));
    EXPECT_EQ(chosen(method, 8, 16, 8).forward, (ContextGrid{1, 8}));
  }
}

// 15 (sqrt R - 1) units with as many key heads as heads; fewer key heads make longer rows.
TEST(ContextGrid, MakesTheCheapestMesh) {
  EXPECT_EQ(chosen(ContextMethod::mesh, 16, 16, 16).forward, (ContextGrid{4, 4}));
  EXPECT_EQ(chosen(ContextMethod::mesh, 64, 16, 16).backward, (ContextGrid{8, 8}));
  EXPECT_EQ(chosen(ContextMethod::mesh, 64, 16, 4).forward, (ContextGrid{4, 16}));
  EXPECT_EQ(chosen(ContextMethod::mesh, 64, 16, 4, 32).forward, (ContextGrid{32, 2}));
  EXPECT_EQ(described(chosen(ContextMethod::mesh, 12, 16, 16).forward), "mesh 4 x 3");
  EXPECT_EQ(described(chosen(ContextMethod::mesh, 7, 16, 16).forward), "mesh 7 x 1 (a line)");
}

TEST(ContextGrid, RefusesRowsThatDoNotDivide) {
  EXPECT_EQ(
      *trouble_with_rows({.context_method = ContextMethod::mesh, .mesh_rows = 3}, 8),
      "mesh_rows = 3 over context = 8 ranks: choose a divisor of 8 (1, 2, 4, 8), or leave it out to have "
      "it chosen");
  EXPECT_FALSE(trouble_with_rows({.context_method = ContextMethod::mesh, .mesh_rows = 4}, 8));
  EXPECT_FALSE(trouble_with_rows({.context_method = ContextMethod::ring, .mesh_rows = 3}, 8));
}

}  // namespace
}  // namespace graticule
