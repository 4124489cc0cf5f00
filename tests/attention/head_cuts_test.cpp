// Tests the cut of heads over ulysses ranks and groups: every query head is in one group of one rank.
#include "graticule/attention/head_cuts.h"

#include <gtest/gtest.h>

namespace graticule {
namespace {

// Every query head is in one group of one rank, together with its key/value head. Pieces cover their group
// evenly.
TEST(HeadCuts, CoverEveryHeadOnceInEvenPieces) {
  for (int64_t key_heads = 1; key_heads <= 5; ++key_heads) {
    for (int64_t queries = 1; queries <= 5; ++queries) {
      for (int64_t ranks = 1; ranks <= 9; ++ranks) {
        for (int64_t wanted = 1; wanted <= 4; ++wanted) {
          SCOPED_TRACE(::testing::Message() << key_heads << " x " << queries << " heads over " << ranks
                                            << " ranks in " << wanted << " groups");
          const auto cuts = cut_heads(key_heads * queries, key_heads, ranks, wanted);
          ASSERT_EQ(std::ssize(cuts), ranks);
          int64_t head = 0;
          for (const auto& groups : cuts) {
            ASSERT_EQ(groups.size(), cuts[0].size());
            ASSERT_LE(std::ssize(groups), wanted);
            for (const HeadCut& cut : groups) {
              const auto pieces = even_pieces(cut, queries);
              ASSERT_LE(pieces.size(), 3u);
              ASSERT_EQ(pieces.empty(), cut.query.empty());
              for (const HeadCut& piece : pieces) {
                EXPECT_EQ(piece.query.begin + cut.query.begin, head);
                const int64_t each = piece.query.size() / piece.key.size();
                ASSERT_EQ(piece.query.size(), piece.key.size() * each);
                for (; head < cut.query.begin + piece.query.end; ++head) {
                  EXPECT_EQ(
                      cut.key.begin + piece.key.begin + (head - cut.query.begin - piece.query.begin) / each,
                      head / queries);
                }
              }
            }
          }
          EXPECT_EQ(head, key_heads * queries);
        }
      }
    }
  }
}

}  // namespace
}  // namespace graticule
