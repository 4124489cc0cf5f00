// Have all ranks of a group issued the same operations in the same order? A difference is our mistake, and
// without this check it shows as a wait without end or as wrong numbers.
#pragma once

#include "graticule/comm/group.h"

namespace graticule {

/// Compares what the ranks of `group` have issued since the last check: the operations and all sizes that
/// must agree (sends and receives are not compared). On a difference every rank throws std::logic_error that
/// names the first differing operation. Collective; call it where nothing is in flight, at the end of a step.
/// Does nothing unless the watch keeps the order (debug builds, or World::watch->set_keeps_order).
void check_order(const Group& group);

}  // namespace graticule
