// The simulator runs one training step of a whole cluster. Every rank runs its trace (dry/world_traces.h),
// and every exchange sends its messages through links that the ranks share. It is built on SimGrid
// (docs/simulator.md describes the model). `graticule simulate` calls it.
#pragma once

#include <cstdint>
#include <vector>

#include "graticule/dry/world_traces.h"
#include "graticule/plan/cluster.h"
#include "graticule/simulate/simulation.h"

namespace graticule {

struct SimulationOptions {
  double jitter = 0;         ///< standard deviation / mean of the time between two exchanges; 0 to 1
  double spread = 0;         ///< standard deviation / mean of the devices' pace, one draw a device; 0 to 1
  int64_t slow_nodes = 0;    ///< number of nodes that compute slower; the seed chooses them
  double slow_factor = 1.5;  ///< time of a slow node / time of another; 1 or more
  double other_jobs = 0;     ///< share that other jobs take of the links above nodes; 0 to below 1
  uint64_t seed = 1;
  /// Below 0.5: messages move only while ranks wait. From 0.5: they move while ranks compute too.
  double overlap = 1;
  bool fold = true;  ///< join flows that load the same links (exchange_flows.h)
  /// Play one of the blocks of ranks that do the same (blocks.h), unless devices are drawn to differ.
  bool repeat = true;
  std::vector<int> drawn = {};  ///< ranks whose intervals are kept for a timeline
};

/// Simulates a step. Ranks fill the nodes in the order of the mesh. Refuses a world larger than the cluster,
/// and options out of range. A program built without SimGrid always refuses, and says what to install. Not
/// collective; it forks a process (apart.h).
Simulation simulate_step(const WorldTraces& traces, const Cluster& cluster, Precision precision,
                         const SimulationOptions& options);

}  // namespace graticule
