// A cluster as SimGrid sees it. Part of the simulator: included where SimGrid is built in.
#pragma once

#include <simgrid/s4u.hpp>

#include <vector>

#include "graticule/plan/cluster.h"

namespace graticule {

/// Hosts to send between. Inside a node the two devices' own links count; between nodes the nodes' interfaces
/// and what lies between their switches. So a device is there twice: itself, and as part of its node.
struct Platform {
  std::vector<simgrid::s4u::Host*> devices, nodes;
};

/// Makes the engine's platform, for the first `ranks` devices.
Platform make_platform(const Cluster& cluster, int64_t ranks);

}  // namespace graticule
