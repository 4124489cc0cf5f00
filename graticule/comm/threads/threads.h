// Ranks as threads of one process, for tests and small experiments. World and Group behave as in a real job.
#pragma once

#include <functional>

#include "graticule/comm/launch.h"

namespace graticule {

/// Runs `body` on `size` threads, each a rank of one job, and returns when all have ended. When a rank
/// throws, the waits of all other ranks fail too, and the first error is rethrown here. Each rank computes on
/// one core (at::set_num_threads(1)), because the ranks share the machine.
void run_threads(int size, const std::function<void(World)>& body);

}  // namespace graticule
