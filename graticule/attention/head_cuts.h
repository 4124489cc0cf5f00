// Which heads a ulysses rank attends over, and in which groups they are exchanged.
//
// span_of spreads the query heads over the ranks. A rank has the key/value heads that its queries need, so
// the same key/value head may be on several ranks. Legend: H query heads, G key/value heads, R = H / G, U
// ranks.
#pragma once

#include <vector>

#include "graticule/core/span.h"

namespace graticule {

/// Query heads and the key/value heads that they need.
struct HeadCut {
  Span query, key;
};

/// The heads of each rank, in groups. Every rank has the same number of groups, some of which may be empty.
/// Within a rank, a key/value head is in one group only. So there are at most `head_groups` groups, and not
/// more than the most key/value heads of a rank. Spans are global head indices.
std::vector<std::vector<HeadCut>> cut_heads(int64_t heads, int64_t key_heads, int64_t ranks,
                                            int64_t head_groups);

/// Cuts a HeadCut into pieces in which every key/value head has the same number of queries, as the kernel
/// needs it: at most three pieces. Spans are relative to the first heads of `cut`.
std::vector<HeadCut> even_pieces(const HeadCut& cut, int64_t queries_a_key);

}  // namespace graticule
