// Tests how words arrange ranks for attention over a process group.
#include "graticule/attention/arrangement.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace graticule {
namespace {

struct Arranged {
  const char* scheme;
  int64_t ranks, heads;
  Arrangement expected;
};

TEST(Arrangement, FollowsFromSchemeRanksAndHeads) {
  using enum ContextMethod;
  for (const auto& [scheme, ranks, heads, expected] : std::initializer_list<Arranged>{
           {"ulysses", 4, 6, {1, 4, mesh}},
           {"lss", 4, 6, {4, 1, lss}},
           {"ring", 3, 1, {3, 1, ring}},
           {"mesh", 6, 8, {6, 1, mesh}},
           {"ulysses+ring", 4, 6, {2, 2, ring}},
           {"ulysses+lss", 8, 12, {2, 4, lss}},
           {"ulysses+mesh", 5, 4, {5, 1, mesh}},
           {"auto", 8, 16, {1, 8, mesh}},
           {"auto", 1, 3, {1, 1, mesh}},
           {"auto", 12, 16, {3, 4, mesh}},
       }) {
    const Arrangement got = arrange("test", scheme, ranks, heads);
    EXPECT_EQ(got.context, expected.context) << scheme << " over " << ranks;
    EXPECT_EQ(got.ulysses, expected.ulysses) << scheme << " over " << ranks;
    EXPECT_EQ(got.method, expected.method) << scheme << " over " << ranks;
  }
}

TEST(Arrangement, TakesTheSizesOfADeviceMesh) {
  const Arrangement got = arrange("test", "ulysses+ring", 12, 8, MeshSizes{4, 3});
  EXPECT_EQ(got.context, 4);
  EXPECT_EQ(got.ulysses, 3);
}

TEST(Arrangement, RefusesWhatCannotBe) {
  EXPECT_THROW(arrange("test", "ulysses", 4, 3), std::invalid_argument);
  EXPECT_THROW(arrange("test", "ulysses+", 4, 4), std::invalid_argument);
  EXPECT_THROW(arrange("test", "ring+lss", 4, 4), std::invalid_argument);
  EXPECT_THROW(arrange("test", "ulysses+ulysses", 4, 4), std::invalid_argument);
  EXPECT_THROW(arrange("test", "ring", 4, 4, MeshSizes{2, 2}), std::invalid_argument);
  EXPECT_THROW(arrange("test", "auto", 8, 3, MeshSizes{2, 4}), std::invalid_argument);
}

}  // namespace
}  // namespace graticule
