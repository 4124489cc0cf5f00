// Ranks as threads of one process: the same World and Group as a real job has, for tests and small
// experiments.
#pragma once

#include <functional>

#include "graticule/comm/launch.h"

namespace graticule {

/// Runs `body` on `size` threads, each a rank of one job, and returns when all have ended. When a rank
/// throws, every other rank that waits for it (or comes to wait) fails too, and the first error is rethrown
/// here. Each rank computes on one core (at::set_num_threads(1)): the ranks share the machine.
void run_threads(int size, const std::function<void(World)>& body);

}  // namespace graticule
