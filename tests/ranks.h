// Runs ranks as threads: `run_ranks(4, [](World world) { ... })`. Rethrows the first error of any rank.
#pragma once

#include <functional>

#include "graticule/comm/threads/threads.h"

namespace graticule {

inline void run_ranks(int size, const std::function<void(World)>& body) { run_threads(size, body); }

}  // namespace graticule
