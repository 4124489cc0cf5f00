// The hosts and links of a cluster as objects of SimGrid. Only simulator*.cpp include this file, and only if
// SimGrid is built in.
#pragma once

#include <simgrid/s4u.hpp>

#include <vector>

#include "graticule/plan/cluster.h"
#include "graticule/simulate/blocks.h"

namespace graticule {

/// The hosts that messages are sent between. A message inside a node uses the host of each device, with the
/// device's own links. A message between nodes uses the host of each node, with the node's interfaces and the
/// links of its switch.
///
/// The image of a node receives what the node sends to nodes of other blocks, and what they send to it, which is
/// the same: it has the node's links in, and those of its switch.
struct Platform {
  std::vector<simgrid::s4u::Host*> devices, nodes, images;  ///< by number; null where nothing is played
};

/// Makes the platform of the current engine, for the played ranks of the first `ranks` devices. `other_jobs`: the
/// share that other jobs take of the links above the nodes.
Platform make_platform(const Cluster& cluster, int64_t ranks, const Blocks& blocks, double other_jobs);

}  // namespace graticule
