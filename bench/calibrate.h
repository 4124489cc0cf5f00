// plan --calibrate: measures the machine that it runs on.
#pragma once

#include <string>

#include "graticule/comm/launch.h"

namespace graticule {

/// All ranks together: steps of small models, messages within and across nodes. Rank 0 writes the cluster to
/// `path` (empty: clusters/here.toml). Collective.
int run_calibrate(const std::string& path, const World& world);

}  // namespace graticule
