// One training step of a whole machine, simulated: every rank does what its trace says, every exchange sends
// its messages through the links that the ranks share. Built on SimGrid (docs/simulator.md).
#pragma once

#include <cstdint>
#include <vector>

#include "graticule/dry/world_traces.h"
#include "graticule/plan/cluster.h"
#include "graticule/simulate/simulation.h"

namespace graticule {

struct SimulationOptions {
  double jitter = 0;         ///< standard deviation of a kernel's time over its mean, at most 1
  int64_t slow_nodes = 0;    ///< so many nodes, chosen by the seed, compute slower
  double slow_factor = 1.5;  ///< by so much, 1 or more
  uint64_t seed = 1;
  /// Share of an exchange that goes on beneath compute; below 0.5 messages move only while ranks wait.
  double overlap = 1;
  bool fold = true;             ///< join flows that load the same links (exchange_flows.h)
  std::vector<int> drawn = {};  ///< ranks whose intervals are kept
};

/// Ranks fill the nodes in the order of the mesh. Refuses worlds larger than the cluster and options out of
/// range; without SimGrid built in it refuses always, and says what to install.
Simulation simulate_step(const WorldTraces& traces, const Cluster& cluster, Precision precision,
                         const SimulationOptions& options);

}  // namespace graticule
