// How long a training step takes on a cluster, in closed form: products by sustained rates, point-wise work
// by the memory's bandwidth, exchanges by bytes and messages. docs/planner.md derives it and says what it
// leaves out.
#pragma once

#include <map>

#include "graticule/plan/cluster.h"
#include "graticule/plan/traffic.h"

namespace graticule {

/// Seconds of a step, of the busiest rank.
struct StepTime {
  double linear = 0, attention = 0, pointwise = 0;
  std::map<GroupOf, double> exchange;  ///< if nothing were hidden
  double offload = 0;                  ///< of activations to host memory and back, if nothing were hidden
  double exposed = 0;                  ///< of all exchange and offloading, what no work hides
  double bubble = 0;                   ///< waiting for other stages of the pipeline
  double optimizer = 0;
  double compute() const { return linear + attention + pointwise; }
  double total() const { return compute() + exposed + bubble + optimizer; }
};

/// Ranks are placed node by node, in the order of the mesh. The layout must be one that trouble_with
/// (recipe/layout.h) finds nothing wrong with; refuses one that needs more nodes than the cluster has.
StepTime time_of_step(const Cluster& cluster, const Options& options, const ModelShape& shape,
                      const Axes& axes);

/// Seconds that an exchange takes when every rank takes part in such a one at the same time.
double seconds_of(const Exchange& exchange, const Cluster& cluster);

}  // namespace graticule
