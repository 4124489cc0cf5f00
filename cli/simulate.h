// `graticule simulate RECIPE --cluster C --ranks N`: one training step of a whole machine.
#pragma once

#include <string>
#include <vector>

#include "graticule/core/model_shape.h"
#include "graticule/recipe/options.h"
#include "graticule/simulate/simulator.h"

namespace graticule {

/// A simulated step and what it was made of.
struct SimulatedStep {
  Options options;  ///< the degrees filled in
  ModelShape shape;
  Axes axes;
  Cluster cluster;
  Simulation simulation;
  double closed_form;  ///< seconds, by plan/time.h
};

/// Text for a terminal, or JSON: step time, efficiency, where the time goes in the mean and on the worst
/// rank.
void print_simulation(const SimulatedStep& step, bool json);

/// Chrome's trace format, for ui.perfetto.dev: a process a node, a thread a rank, exchanges beside it.
std::string trace_of(const Simulation& simulation, int64_t ranks_a_node);

/// An SVG picture: a row a rank (at most 16), time to the right, below each row what is on its way.
std::string picture_of(const Simulation& simulation, const std::string& title);

}  // namespace graticule
