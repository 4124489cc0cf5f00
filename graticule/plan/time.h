// The time of a training step on a cluster, in closed form. Products take FLOPs / sustained rate, point-wise
// work takes bytes / memory bandwidth, exchanges take bytes / bandwidth + messages x latency. docs/planner.md
// derives the formulas and lists what they leave out. The planner (planner.h) orders layouts by it.
#pragma once

#include <map>

#include "graticule/plan/cluster.h"
#include "graticule/plan/traffic.h"

namespace graticule {

/// Seconds of a step, on the busiest rank.
struct StepTime {
  double linear = 0, attention = 0, pointwise = 0;
  std::map<GroupOf, double> exchange;  ///< seconds, hidden or not
  double offload = 0;                  ///< seconds of activations to host memory and back, hidden or not
  double exposed = 0;                  ///< the part of exchanges and offloading during which the rank waits
  double bubble = 0;                   ///< waiting for other pipeline stages
  double optimizer = 0;
  double compute() const { return linear + attention + pointwise; }
  double total() const { return compute() + exposed + bubble + optimizer; }
};

/// Ranks fill the nodes in the order of the mesh. Refuses more ranks than the cluster has devices.
/// Precondition: trouble_with(axes, options, shape) (recipe/layout.h) is empty.
StepTime time_of_step(const Cluster& cluster, const Options& options, const ModelShape& shape,
                      const Axes& axes);

/// Seconds of an exchange while every rank of the cluster takes part in such an exchange of its own group.
double seconds_of(const Exchange& exchange, const Cluster& cluster);

}  // namespace graticule
