// What the ranks of one call of attention must agree on. Every rank tells all others its tokens and its other
// arguments, or why it refuses them. So all ranks come to the same verdict before any of them waits for
// tensors that never come.
#pragma once

#include <string>
#include <vector>

#include "graticule/comm/group.h"

namespace graticule {

/// What a rank tells about its call.
struct CallReport {
  int64_t tokens = 0;
  std::string arguments;  ///< everything that must be equal on all ranks, in words
  std::string trouble;    ///< why this rank refuses its arguments; empty: it does not
};

/// The tokens of all ranks, in the order (place in `outer`, place in `inner`). A rank is a member of one
/// `inner` group, and groups `outer` join ranks of the same place in their `inner` groups. On every rank
/// std::invalid_argument with the same message, if one has trouble or arguments differ, or if no rank has a token. Collective.
std::vector<int64_t> agreed_tokens(const CallReport& mine, const Group& inner, const Group& outer);

}  // namespace graticule
