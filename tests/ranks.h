// N ranks as threads: `run_ranks(4, [](World world) { ... })`. The first error of any rank is rethrown.
#pragma once

#include <functional>
#include <string>

#include "graticule/comm/threads.h"

namespace graticule {

inline void run_ranks(int size, const std::function<void(World)>& body) { run_threads(size, body); }

/// The group of all ranks.
inline Group everyone(const World& world, const std::string& label = "world") {
  return world.split(0, world.rank, label);
}

}  // namespace graticule
