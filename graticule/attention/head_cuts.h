// Which heads a ulysses rank attends over, and in which groups they travel.
//
// Query heads are spread by span_of. A rank has the key/value heads that its queries need, so one of them may
// lie on two ranks or more. Legend: H query heads, G key/value heads, R = H / G, U ranks.
#pragma once

#include <vector>

#include "graticule/core/span.h"

namespace graticule {

/// Query heads and the key/value heads they need.
struct HeadCut {
  Span query, key;
};

/// For each rank, its heads in groups; every rank has the same number of groups, some may be empty. A
/// key/value head is in one group of a rank alone, so at most `head_groups` groups are made, and not more
/// than any rank has key/value heads. Spans count all heads.
std::vector<std::vector<HeadCut>> cut_heads(int64_t heads, int64_t key_heads, int64_t ranks,
                                            int64_t head_groups);

/// The cut in pieces whose key/value heads all have equally many queries, as the kernel wants it; at most
/// three. Spans count from the cut's first heads.
std::vector<HeadCut> even_pieces(const HeadCut& cut, int64_t queries_a_key);

}  // namespace graticule
