// A check that all ranks of a group issued the same operations in the same order. A difference is a bug of
// this program. Without this check the bug would show as an endless wait or as wrong numbers.
#pragma once

#include "graticule/comm/group.h"

namespace graticule {

/// Compares the operations that the ranks of `group` issued since the last check, with all sizes that must
/// agree. Sends and receives are not compared. On a difference every rank throws std::logic_error, which
/// names the first differing operation. Collective; call it when no operation is under way, at the end of a
/// step. It does nothing unless the watch keeps the order (debug builds, or Watch::set_keeps_order).
void check_order(const Group& group);

}  // namespace graticule
