// plan --calibrate: measures the machine that it runs on.
#pragma once

#include <string>

#include "graticule/comm/launch.h"

namespace graticule {

struct CalibrateArguments {
  bool wanted = false;
  std::string write = "clusters/here.toml";
};

/// All ranks together: steps of small models, messages within and across nodes. Rank 0 writes the cluster.
/// Collective.
int run_calibrate(const CalibrateArguments& arguments, const World& world);

}  // namespace graticule
