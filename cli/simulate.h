// Prints and draws one simulated training step of a whole machine: `graticule simulate RECIPE --cluster C
// --ranks N`.
#pragma once

#include <string>
#include <vector>

#include "graticule/core/model_shape.h"
#include "graticule/recipe/options.h"
#include "graticule/simulate/simulator.h"

namespace graticule {

/// Seconds that a step waits for the file system, besides its simulation.
struct FileWaits {
  double reading = 0;      ///< of its samples, beyond what the step before hides
  double checkpoints = 0;  ///< its share of a checkpoint
};

/// A simulated step, with the recipe, model and cluster that it was made from.
struct SimulatedStep {
  Options options;  ///< the degrees filled in
  ModelShape shape;
  Axes axes;
  Cluster cluster;
  Simulation simulation;
  double closed_form;  ///< seconds of the step by plan/time.h
  FileWaits files;

  double seconds() const { return simulation.seconds + files.reading + files.checkpoints; }
};

/// Prints step time, efficiency, and seconds by part (mean and worst over ranks), as text or JSON.
void print_simulation(const SimulatedStep& step, bool json);

/// The simulation in Chrome's trace format, for ui.perfetto.dev: a process for each node, a thread for each
/// rank, and exchanges as asynchronous events.
std::string trace_of(const Simulation& simulation, int64_t ranks_a_node);

/// The simulation as an SVG picture: a row for each rank (at most 16), time to the right; a thin row below
/// each shows its exchanges.
std::string picture_of(const Simulation& simulation, const std::string& title);

}  // namespace graticule
