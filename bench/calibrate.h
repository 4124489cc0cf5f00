// The command `graticule plan --calibrate`. It measures the machine that it runs on and writes a cluster file
// for the planner (plan/calibration.h).
#pragma once

#include <string>

#include "graticule/comm/launch.h"

namespace graticule {

/// Times steps of small models on every rank, and messages within and between nodes. Rank 0 writes the
/// cluster file to `path` (empty: clusters/here.toml). Refuses nodes with different numbers of ranks. Returns
/// the exit code. Collective.
int run_calibrate(const std::string& path, const World& world);

}  // namespace graticule
