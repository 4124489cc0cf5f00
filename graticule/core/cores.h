// How many threads a rank may keep busy.
#pragma once

#include <algorithm>
#include <thread>

namespace graticule {

/// The cores of one rank: those of the machine, shared with its other ranks. At least 1.
inline int cores_of_rank(int ranks_on_machine) {
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()) / std::max(1, ranks_on_machine));
}

}  // namespace graticule
