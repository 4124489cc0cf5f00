// Any one rank of any world in one process: every operation has the right shape and is counted, and nothing
// is sent. What other ranks would send is zeros. Works on meta tensors, so a program runs as rank r of
// thousands without its memory.
#pragma once

#include "graticule/comm/launch.h"

namespace graticule {

/// Rank `rank` of `size`, with `local_size` consecutive ranks on a node.
World dry_world(int rank, int size, int local_size = 1);

}  // namespace graticule
