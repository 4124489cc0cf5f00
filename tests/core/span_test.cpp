// Tests that spans cover a range once, with sizes that differ by at most one.
#include "graticule/core/span.h"

#include <gtest/gtest.h>

#include <numeric>

namespace graticule {
namespace {

TEST(Span, CoversEverythingOnceWithSizesThatDifferByAtMostOne) {
  for (int64_t n : {0, 1, 7, 1000, 1003, 188416}) {
    for (int64_t parts : {1, 2, 3, 5, 8, 64}) {
      int64_t next = 0;
      for (int64_t i = 0; i < parts; ++i) {
        const Span span = span_of(n, parts, i);
        EXPECT_EQ(span.begin, next);
        EXPECT_LE(std::abs(span.size() - n / parts), 1);
        next = span.end;
      }
      EXPECT_EQ(next, n);
      const auto sizes = span_sizes(n, parts);
      EXPECT_EQ(std::accumulate(sizes.begin(), sizes.end(), int64_t{0}), n);
    }
  }
  EXPECT_EQ(span_sizes(1000, 3), (std::vector<int64_t>{334, 333, 333}));
}

TEST(Span, IntersectionOfDisjointRangesIsEmpty) {
  EXPECT_TRUE(intersect({0, 3}, {5, 9}).empty());
  EXPECT_EQ(intersect({0, 7}, {5, 9}), (Span{5, 7}));
}

}  // namespace
}  // namespace graticule
